import { CephbackupError } from '../errors/error.js';
import { insideDisk, readDisk } from '../restore/block/disk-source.js';
import type { RestoreJob } from '../restore/job.js';

export interface DiskJob extends Pick<RestoreJob, 'restic' | 'backup' | 'signal' | 'warn'> {
  /** As the manifests tell it; null where they do not. Bytes. */
  exactSize: number | null;
  moved: (bytes: number) => void;
}

/**
 * Reads a disk to its last cluster and keeps nothing of it. restic compares each piece with its hash, and the image's
 * tables have to account for every byte of it; its length is compared with what was backed up.
 *
 * @returns the length of the image in bytes
 * @throws CephbackupError BACKUP_DAMAGED, RESTIC_FAILED, REPOSITORY_…
 */
export async function readWholeDisk(job: DiskJob): Promise<number> {
  let length = 0;
  await readDisk(job, job, async ({ image, sizeBytes: size }) => {
    for await (const { offset, bytes } of image.pieces()) {
      insideDisk(offset, bytes, size);
      job.moved(bytes.length);
    }
    length = image.length;
  });
  const { sizeBytes } = job.backup;
  if (sizeBytes === null || sizeBytes === length) return length;
  throw new CephbackupError(
    'BACKUP_DAMAGED',
    `the disk's image has ${length} bytes, but ${sizeBytes} were backed up`,
  );
}
