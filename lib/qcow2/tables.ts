import type { ByteReader } from './byte-reader.js';
import { CompactRanges } from './compact-ranges.js';
import { Qcow2Error } from './errors.js';
import { copiedFlagHigh, entrySize, refcountSize } from './format.js';
import type { Range } from './ranges.js';

const twoTo32 = 2 ** 32;
/** Bytes of a table that are looked at together. */
const blockSize = 64 * 1024;

/** What a table points to: clusters that must follow each other in the file, in the order of the table. */
export class TableCheck {
  /** Which entries are in use. */
  readonly used: CompactRanges;
  /** Offset of the cluster that the next used entry must name; null until the first has been seen. */
  #next: number | null = null;
  #first: number | null = null;
  /** Where the place of the next one ends. */
  #placeEnd = Infinity;

  constructor(
    private readonly name: string,
    private readonly clusterSize: number,
    private readonly flagsHigh: 0 | typeof copiedFlagHigh,
    mapLimit: number,
    /** Where the clusters lie, in bytes; null where only the first entry tells. */
    private readonly places: Iterator<Range> | null = null,
  ) {
    this.used = new CompactRanges(mapLimit);
    if (places !== null) this.#toNextPlace();
  }

  /** What the first used entry names, if there is one and nothing else tells. */
  get first(): number | null {
    return this.#first;
  }

  /**
   * Reads `count` entries, numbered from `start`. Entries from `end` on must be unused.
   *
   * @throws Qcow2Error MALFORMED, TRUNCATED, TOO_FRAGMENTED
   */
  async read(reader: ByteReader, start: number, count: number, end: number): Promise<void> {
    for (let index = start; index < start + count;) {
      const entries = Math.min(start + count - index, blockSize / entrySize);
      const bytes = await reader.read(entries * entrySize);
      this.#check(new DataView(bytes.buffer), index, end);
      index += entries;
    }
  }

  #check(view: DataView, start: number, end: number): void {
    let runStart = start;
    let runLength = 0;
    for (let at = 0, index = start; at < view.byteLength; at += entrySize, index++) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (high === 0 && low === 0) continue;
      const offset = (high - this.flagsHigh) * twoTo32 + low;
      this.#next ??= this.#firstOffset(offset);
      if (offset !== this.#next || index >= end) {
        throw new Qcow2Error(
          'MALFORMED',
          `${this.name}: entry ${index} is ${high.toString(16)}:${low.toString(16)}`,
        );
      }
      this.#next += this.clusterSize;
      if (this.#next >= this.#placeEnd) this.#toNextPlace();
      if (index !== runStart + runLength) {
        this.used.push(runStart, runLength);
        runStart = index;
        runLength = 0;
      }
      runLength++;
    }
    this.used.push(runStart, runLength);
  }

  #toNextPlace(): void {
    const place = this.places?.next();
    const isOne = place !== undefined && place.done !== true;
    // No offset is negative: without a place left, no entry may be in use.
    this.#next = isOne ? place.value.start : -1;
    this.#placeEnd = isOne ? place.value.start + place.value.length : Infinity;
  }

  #firstOffset(offset: number): number {
    if (!Number.isSafeInteger(offset) || offset <= 0) {
      throw new Qcow2Error('MALFORMED', `${this.name}: the first entry in use is invalid`);
    }
    this.#first = offset;
    return offset;
  }
}

/** Reads the L2 tables that L1 names, one after the other; `check` numbers entries as clusters of the disk. */
export async function readL2Tables(
  reader: ByteReader,
  tables: Iterable<Range>,
  check: TableCheck,
  perTable: number,
  diskClusters: number,
): Promise<void> {
  for (const { start, length } of tables) {
    await check.read(reader, start * perTable, length * perTable, diskClusters);
  }
}

/**
 * Reads refcount blocks of `size` bytes together, which count each cluster once or not at all.
 *
 * @returns the clusters in use
 * @throws Qcow2Error MALFORMED, TRUNCATED, TOO_FRAGMENTED
 */
export async function readRefcounts(
  reader: ByteReader,
  size: number,
  mapLimit: number,
): Promise<CompactRanges> {
  const used = new CompactRanges(mapLimit);
  for (let left = size; left > 0;) {
    const bytes = await reader.read(Math.min(left, blockSize));
    const counts = new DataView(bytes.buffer);
    const before = (size - left) / refcountSize;
    for (let at = 0, index = before; at < bytes.length; at += refcountSize, index++) {
      const count = counts.getUint16(at);
      if (count > 1) throw new Qcow2Error('MALFORMED', `cluster ${index} is counted ${count} times`);
      used.push(index, count);
    }
    left -= bytes.length;
  }
  return used;
}

/** @throws Qcow2Error MALFORMED, TRUNCATED */
export async function expectZeros(reader: ByteReader, count: number, where: string): Promise<void> {
  for (let left = count; left > 0;) {
    const bytes = await reader.take(left);
    if (bytes.some((byte) => byte !== 0)) throw new Qcow2Error('MALFORMED', `${where}: not zero`);
    left -= bytes.length;
  }
}
