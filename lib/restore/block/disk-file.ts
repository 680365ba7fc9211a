import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { ContentDigest, firstDifference } from './content-digest.js';
import { insideDisk, type DiskSource } from './disk-source.js';

interface Progress {
  moved: (bytes: number) => void;
}

/** A file that a disk is written to. */
export interface DiskFile {
  begin(disk: DiskSource): Promise<void>;
  /** The bytes of the backup, as they come; called before the pieces that are in them. */
  see(bytes: Uint8Array): Promise<void>;
  /** A piece of the disk. Returns how many bytes were written. */
  write(offset: number, bytes: Uint8Array): Promise<number>;
  end(): Promise<void>;
  /** Whether the file, read again, holds what was meant to be in it. */
  verify(progress: Progress): Promise<boolean>;
}

/** Holes have at least this size, which is that of a filesystem's blocks. */
const holeBytes = 4096;
const readBytes = 1024 * 1024;
const writeBytes = 1024 * 1024;

/** The disk itself; what is zero in it is a hole. */
export class RawFile implements DiskFile {
  readonly #written = new ContentDigest();
  readonly #output: GatheringWriter;
  #disk: DiskSource | null = null;

  constructor(private readonly handle: FileHandle) {
    this.#output = new GatheringWriter(handle);
  }

  async begin(disk: DiskSource): Promise<void> {
    this.#disk = disk;
    await this.handle.truncate(disk.sizeBytes);
  }

  see(): Promise<void> {
    return Promise.resolve();
  }

  async write(offset: number, bytes: Uint8Array): Promise<number> {
    const inside = insideDisk(offset, bytes, this.#disk?.sizeBytes ?? 0);
    this.#written.push(offset, inside);
    let written = 0;
    for (const { start, length } of dataRuns(offset, inside)) {
      await this.#output.write(inside.subarray(start, start + length), offset + start);
      written += length;
    }
    return written;
  }

  async end(): Promise<void> {
    await this.#output.flush();
    await this.handle.sync();
  }

  async verify({ moved }: Progress): Promise<boolean> {
    const disk = this.#disk;
    if ((await this.handle.stat()).size !== disk?.sizeBytes) return false;
    const read = new ContentDigest();
    // Everything else is a hole of a file that was empty.
    for (const { start, length } of disk.image.allocated()) {
      for await (const { offset, bytes } of readRange(
        this.handle,
        start,
        Math.min(start + length, disk.sizeBytes),
      )) {
        read.push(offset, bytes);
        moved(bytes.length);
      }
    }
    return firstDifference(this.#written.finish(), read.finish()) === null;
  }
}

/** The backup as it is: a QCOW2 image, which is sparse by itself. */
export class QcowFile implements DiskFile {
  readonly #hash = createHash('sha256');
  #position = 0;

  constructor(private readonly handle: FileHandle) {}

  begin(): Promise<void> {
    return Promise.resolve();
  }

  async see(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await writeAll(this.handle, bytes, this.#position);
    this.#position += bytes.length;
  }

  write(_: number, bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  async end(): Promise<void> {
    await this.handle.sync();
  }

  async verify({ moved }: Progress): Promise<boolean> {
    const { size } = await this.handle.stat();
    if (size !== this.#position) return false;
    const hash = createHash('sha256');
    for await (const { bytes } of readRange(this.handle, 0, size)) {
      hash.update(bytes);
      moved(bytes.length);
    }
    return hash.digest('hex') === this.#hash.digest('hex');
  }
}

/** Where there is something in `bytes`, by whole blocks of the file; as offsets within `bytes`. */
function* dataRuns(offset: number, bytes: Uint8Array): Generator<{ start: number; length: number }, void> {
  let start = -1;
  for (let at = 0; at < bytes.length;) {
    const next = Math.min(bytes.length, at + holeBytes - ((offset + at) % holeBytes));
    const empty = isZero(bytes.subarray(at, next));
    if (empty && start >= 0) yield { start, length: at - start };
    if (empty) start = -1;
    else if (start < 0) start = at;
    at = next;
  }
  if (start >= 0) yield { start, length: bytes.length - start };
}

const zeros = Buffer.alloc(holeBytes);

function isZero(bytes: Uint8Array): boolean {
  return zeros.subarray(0, bytes.length).equals(bytes);
}

/** Writes pieces that follow each other at once. */
class GatheringWriter {
  readonly #gathered = Buffer.allocUnsafeSlow(writeBytes);
  #start = 0;
  #size = 0;

  constructor(private readonly handle: FileHandle) {}

  /** The bytes can be used again when it returns. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (position !== this.#start + this.#size) await this.flush();
    for (let at = 0; at < bytes.length;) {
      if (this.#size === 0) this.#start = position + at;
      const part = bytes.subarray(at, at + writeBytes - this.#size);
      this.#gathered.set(part, this.#size);
      this.#size += part.length;
      at += part.length;
      if (this.#size === writeBytes) await this.flush();
    }
  }

  async flush(): Promise<void> {
    await writeAll(this.handle, this.#gathered.subarray(0, this.#size), this.#start);
    this.#start += this.#size;
    this.#size = 0;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

async function* readRange(
  handle: FileHandle,
  start: number,
  end: number,
): AsyncGenerator<{ offset: number; bytes: Buffer }, void> {
  const buffer = Buffer.allocUnsafe(readBytes);
  for (let offset = start; offset < end;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(readBytes, end - offset), offset);
    if (bytesRead === 0) return;
    yield { offset, bytes: buffer.subarray(0, bytesRead) };
    offset += bytesRead;
  }
}
