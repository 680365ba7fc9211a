import { CephbackupError } from '../../errors/error.js';
import { insideDisk, type DiskImage } from './disk-source.js';

export interface ImportRequest {
  image: DiskImage;
  /** Of the disk, exactly; the image's own size is rounded up to sectors. */
  diskBytes: number;
  /** Of the image that is written to; at least the disk's. */
  targetBytes: number;
  /** Also says where there are zeros: for a target that may hold something else. */
  erase: boolean;
  /** Sees all data on its way. */
  onData: (offset: number, bytes: Uint8Array) => void;
}

/** An object of the usual size: rbd keeps each record whole, and writes ten of them at a time. */
const recordBytes = 4 * 1024 * 1024;
/** Objects of so many bytes are discarded side by side. */
const eraseBytes = 256 * 1024 * 1024;

/**
 * A disk in the format that `rbd import-diff` reads (doc/dev/rbd-diff.rst of Ceph, version 1). What is zero in the disk
 * stays unallocated in the target.
 *
 * @throws Qcow2Error, CephbackupError BACKUP_DAMAGED where the disk has data behind its end
 */
export async function* importStream(request: ImportRequest): AsyncGenerator<Uint8Array, void> {
  const { image, diskBytes: diskSize, targetBytes: targetSize, erase, onData } = request;
  yield Buffer.concat([Buffer.from('rbd diff v1\n'), record('s', targetSize)]);
  const records = recordsOf(image, diskSize);
  let next = records.next();
  /** Up to where the target is known. */
  let position = 0;
  let left = 0;
  for await (const { offset, bytes } of image.pieces()) {
    const inside = insideDisk(offset, bytes, diskSize);
    if (inside.length > 0) onData(offset, inside);
    for (let at = 0; at < inside.length;) {
      if (left === 0) {
        if (next.done === true)
          throw new CephbackupError('INTERNAL', `no record for the data at ${offset + at}`);
        const { start, length } = next.value;
        if (erase) yield* zeros(position, start);
        yield record('w', start, length);
        left = length;
        position = start + length;
        next = records.next();
      }
      const part = inside.subarray(at, at + left);
      yield part;
      at += part.length;
      left -= part.length;
    }
  }
  if (erase) yield* zeros(position, targetSize);
  yield Buffer.from('e');
}

/** What the image contains, cut into records that are written at once. */
function* recordsOf(image: DiskImage, diskSize: number): Generator<{ start: number; length: number }, void> {
  for (const range of image.allocated()) {
    const end = Math.min(range.start + range.length, diskSize);
    for (let start = range.start; start < end;) {
      const length = Math.min(end, (Math.floor(start / recordBytes) + 1) * recordBytes) - start;
      yield { start, length };
      start += length;
    }
  }
}

function* zeros(from: number, to: number): Generator<Uint8Array, void> {
  for (let start = from; start < to;) {
    const length = Math.min(to, (Math.floor(start / eraseBytes) + 1) * eraseBytes) - start;
    yield record('z', start, length);
    start += length;
  }
}

/** A letter and 64-bit little-endian numbers. */
function record(letter: string, ...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(1 + 8 * numbers.length, letter);
  numbers.forEach((number, index) => bytes.writeBigUInt64LE(BigInt(number), 1 + 8 * index));
  return bytes;
}
