import { messageOf } from '../../../errors/error.js';
import { within } from '../../../waiting/within.js';
import type { ReadImage } from './view.js';

/** Bytes that are asked of Ceph at once: an object of the usual size. */
const chunkBytes = 4 * 1024 ** 2;
/** Two files are read at a time, each with the chunk behind the one it reads; the rest is slack. */
const mostChunks = 6;

/** Fills a buffer with the disk's bytes from an offset on. */
export type ReadDisk = (into: Buffer, offset: number) => Promise<void>;

/** A disk that does not give what is asked of it: whoever reads gets an error, and these are told why. */
export interface Trouble {
  /** So long one read is waited for. */
  afterMs: number;
  /** Nothing came from there. */
  stalled: (offset: number) => void;
  failed: (why: string) => void;
}

/** What is read of which disk. */
export interface ChunkedDisk {
  sizeBytes: number;
  segmentBytes: number;
  /** Segments that are going to be read, in the order in which they are. */
  expected: readonly number[];
  /** It is asked for at the first read. */
  open: () => Promise<ReadDisk>;
}

/**
 * Reads a disk in large pieces, each once, a piece ahead of its reader: one request to Ceph instead of many small ones, and
 * it works while restic does.
 */
export class ChunkReader {
  readonly #chunks = new Map<number, Promise<Buffer>>();
  /** Bytes that came from the disk. */
  bytesRead = 0;

  /** By a segment, the one that is expected after it. */
  readonly #following: ReadonlyMap<number, number>;

  constructor(
    private readonly disk: ChunkedDisk,
    private readonly trouble: Trouble,
  ) {
    const { expected } = disk;
    this.#following = new Map(expected.slice(1).map((next, at) => [expected[at] ?? next, next]));
  }

  readonly read: ReadImage = async (offset, length) => {
    const parts: Buffer[] = [];
    for (let at = offset; at < offset + length;) {
      const chunk = Math.floor(at / chunkBytes);
      const loading = this.#chunk(chunk);
      const ahead = this.#after(chunk);
      if (ahead !== null) this.#chunk(ahead).catch(() => undefined);
      const bytes = await loading;
      const start = at - chunk * chunkBytes;
      const part = bytes.subarray(start, Math.min(bytes.length, start + offset + length - at));
      parts.push(part);
      at += part.length;
    }
    return parts;
  };

  /** The chunk that is going to be read after this one, where that is known. */
  #after(chunk: number): number | null {
    const { sizeBytes, segmentBytes } = this.disk;
    const segment = Math.floor((chunk * chunkBytes) / segmentBytes);
    const end = Math.min((segment + 1) * segmentBytes, sizeBytes);
    if ((chunk + 1) * chunkBytes < end) return chunk + 1;
    const next = this.#following.get(segment);
    return next === undefined ? null : (next * segmentBytes) / chunkBytes;
  }

  #chunk(number: number): Promise<Buffer> {
    const held = this.#chunks.get(number);
    // What was used last goes last.
    this.#chunks.delete(number);
    const chunk = held ?? this.#load(number);
    this.#chunks.set(number, chunk);
    // Whoever asks again asks the disk.
    chunk.catch(() => this.#chunks.get(number) === chunk && this.#chunks.delete(number));
    for (const oldest of this.#chunks.keys()) {
      if (this.#chunks.size <= mostChunks) break;
      this.#chunks.delete(oldest);
    }
    return chunk;
  }

  async #load(number: number): Promise<Buffer> {
    const start = number * chunkBytes;
    const length = Math.min(chunkBytes, this.disk.sizeBytes - start);
    const buffer = Buffer.allocUnsafeSlow(length);
    const readDisk = await this.#inTime(start, this.disk.open());
    await this.#inTime(start, readDisk(buffer, start));
    this.bytesRead += length;
    return buffer;
  }

  /** Whoever waits for what does not come gets an error; the read itself cannot be given up. */
  #inTime<T>(offset: number, read: Promise<T>): Promise<T> {
    const { afterMs, stalled, failed } = this.trouble;
    // Also where it comes too late.
    read.catch((thrown: unknown) => {
      failed(messageOf(thrown));
    });
    return within(read, afterMs, () => {
      stalled(offset);
      throw new Error('the disk stands still');
    });
  }
}
