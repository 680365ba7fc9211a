import { CephbackupError } from '../../errors/error.js';
import { openImage, Qcow2Error, type ImageReader } from '../../qcow2/index.js';
import { imagePath } from '../../volumes/block/driver.js';
import type { RestoreJob } from '../job.js';
import { unlimitedMs } from '../../waiting/deadline.js';
import { findSegments, readSegments, type SegmentedDisk } from './segments-source.js';

/** What there is on a disk, front to back. */
export type DiskImage = Pick<
  ImageReader,
  'pieces' | 'allocated' | 'allocatedBytes' | 'virtualSize' | 'length'
>;

/** A disk as it comes out of the repository. */
export interface DiskSource {
  image: DiskImage;
  /** Of which format its backup is. */
  format: 'qcow2' | 'segments';
  /** Exactly. */
  sizeBytes: number;
}

const sectorSize = 512;

/** What is known of a disk before its backup is read. */
export interface KnownDisk {
  /** As the manifests tell it; null where they do not. Bytes. */
  exactSize: number | null;
  /** Of which format the backup is, where that was asked for already. */
  located?: Promise<SegmentedDisk | null>;
}

/** Of which format a backup is: its segments, or null for a stream. Takes a while, and may be asked for early. */
export function locateDisk({
  restic,
  backup,
  signal,
}: Pick<RestoreJob, 'restic' | 'backup' | 'signal'>): Promise<SegmentedDisk | null> {
  const found = findSegments(restic, backup.id, signal);
  // Whoever reads the disk hears of it.
  found.catch(() => undefined);
  return found;
}

/**
 * Reads the disk of a block backup. `consumer` has to read its pieces to the end: only then is it known to be whole.
 *
 * @throws CephbackupError BACKUP_DAMAGED, REPOSITORY_…, RESTIC_FAILED, or what `consumer` throws
 */
export async function readDisk(
  job: Pick<RestoreJob, 'restic' | 'backup' | 'signal' | 'warn'>,
  { exactSize, located = locateDisk(job) }: KnownDisk,
  consumer: (disk: DiskSource) => Promise<void>,
  see: (bytes: Uint8Array) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { restic, backup, signal } = job;
  const segments = await located;
  if (segments !== null) {
    await readSegments(job, segments, (image) =>
      consumer({ image, format: 'segments', sizeBytes: diskSize(image, exactSize, job.warn) }),
    );
    return;
  }
  await restic.dump(
    backup.id,
    imagePath,
    async (chunks) => {
      try {
        const image = await openImage(watched(chunks, see));
        await consumer({ image, format: 'qcow2', sizeBytes: diskSize(image, exactSize, job.warn) });
      } catch (thrown) {
        if (!(thrown instanceof Qcow2Error)) throw thrown;
        const message = `the disk in snapshot ${backup.id.slice(0, 8)} is damaged: ${thrown.message}`;
        throw new CephbackupError('BACKUP_DAMAGED', message, { cause: thrown });
      }
    },
    { signal, deadlineMs: unlimitedMs },
  );
}

/** The image's own size is rounded up to sectors, so a manifest of this backup says at most 511 bytes less. */
function diskSize(
  { virtualSize }: DiskImage,
  exactSize: number | null,
  warn: (text: string) => void,
): number {
  if (exactSize !== null && Math.ceil(exactSize / sectorSize) * sectorSize === virtualSize) return exactSize;
  if (exactSize !== null) {
    warn(
      `the manifests tell a size of ${exactSize} bytes, but the backup has ${virtualSize}: the image had been resized`,
    );
  }
  return virtualSize;
}

/** The part of a piece that lies within the disk. @throws CephbackupError BACKUP_DAMAGED where there is more than that */
export function insideDisk(offset: number, bytes: Uint8Array, size: number): Uint8Array {
  const inside = bytes.subarray(0, Math.max(0, size - offset));
  if (bytes.subarray(inside.length).every((byte) => byte === 0)) return inside;
  throw new CephbackupError(
    'BACKUP_DAMAGED',
    'there is data behind the end of the disk that its manifest names',
  );
}

async function* watched(
  chunks: AsyncIterable<Uint8Array>,
  see: (bytes: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) {
    await see(chunk);
    yield chunk;
  }
}
