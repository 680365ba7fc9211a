/** Shorter values are not masked: masking every `a` hides nothing and makes a log unreadable. */
const shortestSecret = 4;
const mask = '***';

/**
 * Keys of Ceph as it writes them: base64 of a type, a time, a length and a secret [src/auth/Crypto.cc, CryptoKey::encode].
 * Type 1 is `aes`, type 2 `aes256k`. Its programs print what they cannot read.
 */
const cephKey = /(?<![A-Za-z0-9+/])(?:(AQ)[A-Za-z0-9+/]{36}==|(Ag)[A-Za-z0-9+/]{57}=)/g;

/** Ceph's keys by their looks alone, wherever they come from. The two letters that are left only tell a key's type. */
export function redactCephKeys(text: string): string {
  return text.replace(cephKey, (_, aes?: string, aes256k?: string) => `${aes ?? aes256k ?? ''}${mask}`);
}

/** Replaces the secrets that this program was given, keys of Ceph, and passwords within URLs, by `***`. */
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
    const keyless = redactCephKeys(text);
    const masked = this.#pattern === null ? keyless : keyless.replace(this.#pattern, mask);
    return redactUrls(masked);
  }
}

/** A part of a URL as whoever wrote it meant it; a `%` that begins no escape stands for itself. */
export function decodedUrlPart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `scheme://user:password@host` without the password, for anything that looks like it. */
export function redactUrls(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/]*@/gi, `$1:${mask}@`);
}
