/** Shorter values are not masked: masking every `a` hides nothing and makes a log unreadable. */
const shortestSecret = 4;
const mask = '***';

/** Replaces the secrets that this program was given, and passwords within URLs, by `***`. */
export class Redactor {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | null = null;

  add(secret: string | undefined): void {
    const value = secret?.trim();
    if (value === undefined || value.length < shortestSecret) return;
    this.#secrets.add(value);
    this.#secrets.add(encodeURIComponent(value));
    // The longest first, so that a secret that contains another is masked whole.
    const sorted = [...this.#secrets].sort((a, b) => b.length - a.length);
    this.#pattern = new RegExp(sorted.map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  }

  redact(text: string): string {
    const masked = this.#pattern === null ? text : text.replace(this.#pattern, mask);
    return redactUrls(masked);
  }
}

/** `scheme://user:password@host` without the password, for anything that looks like it. */
export function redactUrls(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/]*@/gi, `$1:${mask}@`);
}
