import { Qcow2Error } from './errors.js';
import type { Range } from './ranges.js';

const { isSafeInteger } = Number;

/**
 * Byte ranges of a disk in ascending order, without overlap; neighbours that touch become one. 16 bytes an extent, so
 * that a million of them fit where a million objects would not.
 */
export class ExtentList {
  #offsets: Float64Array;
  #lengths: Float64Array;
  #count = 0;
  #bytes = 0;

  constructor(capacity = 1024) {
    this.#offsets = new Float64Array(capacity);
    this.#lengths = new Float64Array(capacity);
  }

  static of(pairs: Iterable<readonly [offset: number, length: number]>): ExtentList {
    const list = new ExtentList();
    for (const [offset, length] of pairs) list.push(offset, length);
    return list;
  }

  /** Takes over two arrays, as `arrays()` gave them. @throws Qcow2Error INVALID_REQUEST */
  static from(offsets: Float64Array, lengths: Float64Array): ExtentList {
    const list = new ExtentList(Math.max(1, offsets.length));
    for (let i = 0; i < offsets.length; i++) list.push(offsets[i] ?? 0, lengths[i] ?? 0);
    return list;
  }

  get count(): number {
    return this.#count;
  }

  /** The sum of all lengths. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Where the last extent ends; 0 for an empty list. */
  get end(): number {
    return this.#count === 0 ? 0 : this.offset(this.#count - 1) + this.length(this.#count - 1);
  }

  /** The longest run of bytes that are in none, up to `end`. */
  longestGap(end: number): number {
    let longest = end - this.end;
    for (let i = 0, from = 0; i < this.#count; i++) {
      longest = Math.max(longest, this.offset(i) - from);
      from = this.offset(i) + this.length(i);
    }
    return longest;
  }

  offset(index: number): number {
    return this.#offsets[index] ?? 0;
  }

  length(index: number): number {
    return this.#lengths[index] ?? 0;
  }

  /** Appends. @throws Qcow2Error INVALID_REQUEST where it does not lie behind all others, or is not a range. */
  push(offset: number, length: number): void {
    const valid = isSafeInteger(offset) && isSafeInteger(length) && length > 0;
    if (!valid || offset < this.end || !isSafeInteger(offset + length)) {
      throw new Qcow2Error(
        'INVALID_REQUEST',
        `extent of ${length} bytes at ${offset} is invalid behind ${this.end}`,
      );
    }
    this.#bytes += length;
    if (this.#count > 0 && offset === this.end) {
      this.#lengths[this.#count - 1] = this.length(this.#count - 1) + length;
      return;
    }
    if (this.#count === this.#offsets.length) this.#grow();
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count] = length;
    this.#count++;
  }

  /** Views of what is stored, for writing it elsewhere; not to be changed. */
  arrays(): { offsets: Float64Array; lengths: Float64Array } {
    return {
      offsets: this.#offsets.subarray(0, this.#count),
      lengths: this.#lengths.subarray(0, this.#count),
    };
  }

  *[Symbol.iterator](): Generator<Range, void> {
    for (let i = 0; i < this.#count; i++) yield { start: this.offset(i), length: this.length(i) };
  }

  #grow(): void {
    const capacity = Math.max(1024, this.#offsets.length * 2);
    const wider = (from: Float64Array) => {
      const to = new Float64Array(capacity);
      to.set(from);
      return to;
    };
    this.#offsets = wider(this.#offsets);
    this.#lengths = wider(this.#lengths);
  }
}
