import { printable } from '../log/logger.js';

/** An annotation may have 256 KiB; a warning is a line that somebody reads. */
const longest = 80;

/** What the user should know about an object although the plan goes on. */
export type Warn = (object: string, text: string) => void;

/** Collects warnings as self-contained lines, each once, in the order in which they came up. */
export class Warnings {
  readonly #lines = new Set<string>();

  /** `object` as kubectl names it: `persistentvolume/NAME`, `persistentvolumeclaim/NAMESPACE/NAME`. */
  readonly add: Warn = (object, text) => {
    // Names come from outside, too: no byte of theirs reaches a terminal as it is.
    this.#lines.add(printable(`${object}: ${text}`));
  };

  lines(): string[] {
    return [...this.#lines];
  }
}

/** Foreign text within a warning: quoted, its control characters visible, and not longer than a line can bear. */
export function quote(value: unknown): string {
  const whole = typeof value === 'string' ? value : (JSON.stringify(value) as string | undefined);
  const characters = whole ?? String(value);
  const shown = characters.length > longest ? `${characters.slice(0, longest)}…` : characters;
  return `"${printable(shown)}"`;
}
