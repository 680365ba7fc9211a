import { read } from 'node:fs';
import { promisify } from 'node:util';
import { within } from '../../../waiting/within.js';
import type { ReadImage } from './view.js';

const readAt = promisify(read);

/** Bytes that are asked of Ceph at once: an object of the usual size. */
const chunkBytes = 4 * 1024 ** 2;
/** Two files are read at a time, each with the chunk behind the one it reads; the rest is slack. */
const mostChunks = 6;

/** A device that gives nothing. */
export interface Standstill {
  /** So long one read is waited for. */
  afterMs: number;
  /** Is told from where nothing came. */
  seen: (offset: number) => void;
}

/**
 * Reads a device in large pieces, each once, a piece ahead of its reader within one segment: one request to Ceph instead of
 * many small ones, and it works while restic does.
 */
export class ChunkReader {
  readonly #chunks = new Map<number, Promise<Buffer>>();
  /** Bytes that came from the device. */
  bytesRead = 0;

  constructor(
    /** Resolves to a descriptor; it is asked for at the first read. */
    private readonly device: () => Promise<number>,
    private readonly sizeBytes: number,
    private readonly segmentBytes: number,
    private readonly still: Standstill,
  ) {}

  readonly read: ReadImage = async (offset, length) => {
    const parts: Buffer[] = [];
    for (let at = offset; at < offset + length;) {
      const chunk = Math.floor(at / chunkBytes);
      const bytes = await this.#chunk(chunk);
      if ((chunk + 1) * chunkBytes < Math.min(this.#segmentEnd(at), this.sizeBytes))
        this.#chunk(chunk + 1).catch(() => undefined);
      const start = at - chunk * chunkBytes;
      const part = bytes.subarray(start, Math.min(bytes.length, start + offset + length - at));
      if (part.length === 0) throw new Error('the device ends too early');
      parts.push(part);
      at += part.length;
    }
    return parts;
  };

  #segmentEnd(offset: number): number {
    return (Math.floor(offset / this.segmentBytes) + 1) * this.segmentBytes;
  }

  #chunk(number: number): Promise<Buffer> {
    const held = this.#chunks.get(number);
    // What was used last goes last.
    this.#chunks.delete(number);
    const chunk = held ?? this.#load(number);
    this.#chunks.set(number, chunk);
    for (const oldest of this.#chunks.keys()) {
      if (this.#chunks.size <= mostChunks) break;
      this.#chunks.delete(oldest);
    }
    return chunk;
  }

  async #load(number: number): Promise<Buffer> {
    const start = number * chunkBytes;
    const length = Math.min(chunkBytes, this.sizeBytes - start);
    const buffer = Buffer.allocUnsafeSlow(length);
    const device = await this.#inTime(start, this.device());
    for (let filled = 0; filled < length;) {
      const reading = readAt(device, buffer, filled, length - filled, start + filled);
      const { bytesRead } = await this.#inTime(start + filled, reading);
      if (bytesRead === 0) throw new Error('the device ends too early');
      filled += bytesRead;
    }
    this.bytesRead += length;
    return buffer;
  }

  /** Whoever waits for what does not come gets an error; the read itself cannot be given up. */
  #inTime<T>(offset: number, read: Promise<T>): Promise<T> {
    return within(read, this.still.afterMs, () => {
      this.still.seen(offset);
      throw new Error('the device stands still');
    });
  }
}
