import { createHash } from 'node:crypto';

/**
 * Format 2 of a disk's backup, a folder `/disk.d`: `image.json`, and one file of raw bytes for each segment of the image
 * that has data, `<8 hex digits of index / 256>/<8 hex digits of index>`. docs/formats.md describes it.
 */
export const diskFolder = 'disk.d';
export const imageFile = 'image.json';
export const segmentsPerFolder = 256;

const leastSegmentBytes = 4 * 1024 ** 2;
const mostSegments = 65_536;

/** Since the epoch; kept in two numbers, so that no nanosecond is lost. */
export interface Time {
  seconds: number;
  nanoseconds: number;
}

export interface DiskFacts {
  sizeBytes: number;
  segmentBytes: number;
}

/**
 * The least power of two times the object size, 4 MiB at least, of which the image has 65,536 at most. Nothing else
 * decides, so that it changes only with the image.
 */
export function segmentBytesFor(sizeBytes: number, objectBytes: number): number {
  let bytes = objectBytes;
  while (bytes < leastSegmentBytes || Math.ceil(sizeBytes / bytes) > mostSegments) bytes *= 2;
  return bytes;
}

/** Bytes of the segment; the last one is cut at the image's size. */
export function segmentLength({ sizeBytes, segmentBytes }: DiskFacts, index: number): number {
  return Math.min(segmentBytes, sizeBytes - index * segmentBytes);
}

export function hexName(number: number): string {
  return number.toString(16).padStart(8, '0');
}

/** Path of a segment's file below the folder of the disk. */
export function segmentPath(index: number): string {
  return `${hexName(Math.floor(index / segmentsPerFolder))}/${hexName(index)}`;
}

/** The index that a path below the folder of the disk stands for, or null where it is no segment's. */
export function segmentIndex(path: string): number | null {
  const match = /^[0-9a-f]{8}\/([0-9a-f]{8})$/.exec(path);
  if (match?.[1] === undefined) return null;
  const index = parseInt(match[1], 16);
  return segmentPath(index) === path ? index : null;
}

/** Content of `image.json`. */
export function formatFacts({ sizeBytes, segmentBytes }: DiskFacts): string {
  return `${JSON.stringify({ format: 2, size: sizeBytes, segmentSize: segmentBytes })}\n`;
}

/** @throws Error that says what is wrong */
export function parseFacts(text: string): DiskFacts {
  const { format, size, segmentSize } = JSON.parse(text) as Record<string, unknown>;
  if (format !== 2) throw new Error(`format ${JSON.stringify(format)} instead of 2`);
  const valid = Number.isSafeInteger(size) && Number.isSafeInteger(segmentSize);
  if (!valid || Number(size) < 0 || !Number.isInteger(Math.log2(Number(segmentSize))))
    throw new Error('no size');
  return { sizeBytes: Number(size), segmentBytes: Number(segmentSize) };
}

/**
 * The modification time of `image.json`, which is made of its content: equal times mean equal contents. So restic need
 * not read it again, and the parent's facts are known from its listing.
 */
export function factsTime({ sizeBytes, segmentBytes }: DiskFacts): Time {
  const nanoseconds = BigInt(sizeBytes) * 64n + BigInt(Math.log2(segmentBytes));
  return { seconds: Number(nanoseconds / 10n ** 9n), nanoseconds: Number(nanoseconds % 10n ** 9n) };
}

/** What `factsTime` was made of; null where it is no such time. */
export function factsOfTime({ seconds, nanoseconds }: Time): DiskFacts | null {
  const number = BigInt(seconds) * 10n ** 9n + BigInt(nanoseconds);
  if (number < 0n) return null;
  const facts = { sizeBytes: Number(number / 64n), segmentBytes: 2 ** Number(number % 64n) };
  const valid = Number.isSafeInteger(facts.sizeBytes) && facts.segmentBytes >= leastSegmentBytes;
  return valid && Number.isSafeInteger(facts.segmentBytes) ? facts : null;
}

/**
 * The modification time of the folder: which image was backed up. One that was migrated or copied has another id, and its
 * snapshots, of the same names, are copies: Ceph 16 misses changes since those.
 */
export function imageTime(imageId: string): Time {
  const digits = createHash('sha256').update(imageId).digest('hex').slice(0, 8);
  return { seconds: parseInt(digits, 16), nanoseconds: 0 };
}

export function sameTime(one: Time, other: Time): boolean {
  return one.seconds === other.seconds && one.nanoseconds === other.nanoseconds;
}
