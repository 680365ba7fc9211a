import { open } from 'node:fs/promises';
import { attachImage } from '../ceph.js';
import type { TestBed, Volume } from './test-bed.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Where a disk has data, in ascending order. */
export interface Piece {
  /** Bytes. */
  offset: number;
  bytes: Buffer;
}

/** Writes into a disk as a pod would. */
export async function writeToDisk(bed: TestBed, { image }: Volume, pieces: Iterable<Piece>): Promise<void> {
  const attached = await attachImage(bed.cluster, image);
  const device = await open(attached.path, 'r+');
  try {
    for (const { offset, bytes } of pieces) await device.write(bytes, 0, bytes.length, offset);
    await device.sync();
  } finally {
    await device.close();
    await attached.detach();
  }
}

/** As many pieces, at even distances that are multiples of 4 MiB. */
export function* evenly(count: number, size: number, bytesOf: (index: number) => Buffer): Generator<Piece> {
  const object = 4 * MiB;
  const apart = Math.floor(size / count / object) * object;
  for (let index = 0; index < count; index += 1) yield { offset: index * apart, bytes: bytesOf(index) };
}
