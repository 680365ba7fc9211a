import { Qcow2Error } from './errors.js';
import type { Range } from './ranges.js';

/** Seven bits a byte, the lowest first, bit 7 set on all but the last: 53 bits take at most eight bytes. */
const longestPair = 16;

/**
 * Ascending ranges in two to sixteen bytes each: what is remembered of an image's tables. Ranges that touch become one.
 *
 * @throws Qcow2Error TOO_FRAGMENTED where they take more than `limit` bytes
 */
export class CompactRanges {
  #bytes = new Uint8Array(1024);
  #used = 0;
  /** The last range is kept open, because the next may touch it. */
  #last: Range = { start: 0, length: 0 };
  #end = 0;
  /** The sum of all lengths. */
  total = 0;

  constructor(private readonly limit: number) {}

  /** Where the last range ends. */
  get end(): number {
    return this.#last.start + this.#last.length;
  }

  push(start: number, length: number): void {
    if (length === 0) return;
    this.total += length;
    if (start === this.end) {
      this.#last.length += length;
      return;
    }
    this.#flush();
    this.#last = { start, length };
  }

  *[Symbol.iterator](): Generator<Range, void> {
    let at = 0;
    const next = () => {
      let value = 0;
      for (let factor = 1; ; factor *= 128) {
        const byte = this.#bytes[at++] ?? 0;
        value += (byte & 127) * factor;
        if (byte < 128) return value;
      }
    };
    for (let end = 0; at < this.#used;) {
      const start = end + next();
      const length = next();
      end = start + length;
      yield { start, length };
    }
    if (this.#last.length > 0) yield this.#last;
  }

  #flush(): void {
    const { start, length } = this.#last;
    if (length === 0) return;
    if (this.#used + longestPair > this.#bytes.length) this.#grow();
    this.#put(start - this.#end);
    this.#put(length);
    this.#end = start + length;
  }

  #put(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#used++] = (rest % 128) + 128;
    this.#bytes[this.#used++] = rest;
  }

  #grow(): void {
    if (this.#bytes.length >= this.limit) {
      throw new Qcow2Error('TOO_FRAGMENTED', `the map of the image needs more than ${this.limit} bytes`);
    }
    const wider = new Uint8Array(Math.min(this.limit, this.#bytes.length * 2));
    wider.set(this.#bytes);
    this.#bytes = wider;
  }
}
