import { Qcow2Error } from './errors.js';

/** Reads a stream of chunks as a stream of bytes. @throws Qcow2Error TRUNCATED where it ends too early */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  /** How much of the current chunk was taken. */
  #used = 0;
  /** Bytes taken in all: the offset within the file. */
  position = 0;

  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#chunks =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** At least one byte and at most `limit`, without copying; valid until the next call. */
  async take(limit: number): Promise<Uint8Array> {
    if (!(await this.#fill())) {
      throw new Qcow2Error('TRUNCATED', `the image ends after ${this.position} bytes`);
    }
    const bytes = this.#chunk.subarray(this.#used, this.#used + limit);
    this.#used += bytes.length;
    this.position += bytes.length;
    return bytes;
  }

  /** Exactly `count` bytes, which the caller may keep. */
  async read(count: number): Promise<Uint8Array> {
    const result = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      const bytes = await this.take(count - filled);
      result.set(bytes, filled);
      filled += bytes.length;
    }
    return result;
  }

  /** Whether nothing follows. */
  async ended(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** Tells the source that nothing more will be read. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#used === this.#chunk.length) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#chunk = next.value;
      this.#used = 0;
    }
    return true;
  }
}
