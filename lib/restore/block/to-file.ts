import { constants } from 'node:fs';
import { lstat, open, rm, type FileHandle } from 'node:fs/promises';
import { CephbackupError } from '../../errors/error.js';
import type { RestoreJob, RestoreOutcome } from '../job.js';
import { decide, unlessRefused } from '../overwrite.js';
import { ExtentList, planLayout, writeImage } from '../../qcow2/index.js';
import { readDisk, type DiskSource, type KnownDisk } from './disk-source.js';
import { QcowFile, RawFile, type DiskFile } from './disk-file.js';

export interface FileTarget {
  path: string;
  format: 'qcow2' | 'raw';
}

/**
 * Writes a block backup into a file: as it is (qcow2), or as the disk itself (raw), where zeros become holes. The file is
 * read back and compared in the end. Needs no Ceph.
 *
 * @throws CephbackupError TARGET_…, BACKUP_DAMAGED, RESTORE_FAILED, RESTORE_UNVERIFIED …
 */
export async function diskToFile(
  job: RestoreJob,
  target: FileTarget,
  known: KnownDisk,
): Promise<RestoreOutcome> {
  const handle = await openTarget(job, target.path);
  const file = target.format === 'raw' ? new RawFile(handle) : new QcowFile(handle);
  const outcome: RestoreOutcome = { bytesWritten: 0, files: null, diskSize: null };
  try {
    job.step(`writing ${target.path}`, job.backup.sizeBytes);
    await writeDisk(job, file, known, outcome);
    job.step(`reading ${target.path} back`, job.backup.sizeBytes);
    if (!(await file.verify(job))) {
      throw new CephbackupError('RESTORE_UNVERIFIED', `${target.path} differs from the backup`);
    }
    job.state = 'complete';
    return outcome;
  } catch (thrown) {
    throw fileError(thrown, target.path);
  } finally {
    await handle.close();
  }
}

async function writeDisk(
  job: RestoreJob,
  file: DiskFile,
  known: KnownDisk,
  outcome: RestoreOutcome,
): Promise<void> {
  await readDisk(
    job,
    known,
    async (disk) => {
      outcome.diskSize = disk.sizeBytes;
      await file.begin(disk);
      if (disk.format === 'segments' && file instanceof QcowFile) {
        outcome.bytesWritten = await writeQcow2(job, disk, file);
        return;
      }
      for await (const { offset, bytes } of disk.image.pieces()) {
        outcome.bytesWritten += await file.write(offset, bytes);
        job.moved(bytes.length);
      }
      await file.end();
    },
    (bytes) => file.see(bytes),
  );
}

/** A backup of segments becomes an image of this format on its way. Returns the bytes of data in it. */
async function writeQcow2(job: RestoreJob, disk: DiskSource, file: QcowFile): Promise<number> {
  const extents = ExtentList.of(
    [...disk.image.allocated()].map(({ start, length }) => [start, length] as const),
  );
  const virtualSize = Math.ceil(disk.sizeBytes / 512) * 512;
  const bytes = async function* () {
    for await (const piece of disk.image.pieces()) {
      yield piece.bytes;
      job.moved(piece.bytes.length);
    }
  };
  await writeImage(planLayout({ virtualSize, extents }), bytes(), (part) => file.see(part));
  await file.end();
  return extents.bytes;
}

/** A file that did not exist is removed again where the restore fails, unless it was interrupted. */
async function openTarget(job: RestoreJob, path: string): Promise<FileHandle> {
  const found = await lstat(path).catch(() => null);
  if (found !== null && !found.isFile()) {
    throw new CephbackupError('TARGET_UNSUITABLE', `${path} exists and is no regular file`);
  }
  const exists = found === null ? ('nothing' as const) : ('something' as const);
  const situation = { target: 'file', content: 'disk', found: exists, marker: null } as const;
  unlessRefused(decide({ ...situation, force: job.force }), `the file ${path}`);
  try {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const handle = await open(path, O_RDWR | O_NOFOLLOW | (found === null ? O_CREAT | O_EXCL : 0), 0o600);
    job.state = 'incomplete';
    job.scope.add(null, async () => {
      if (found !== null || job.state !== 'incomplete' || job.signal.aborted) return;
      await rm(path, { force: true });
      job.state = 'removed';
    });
    await handle.truncate(0);
    return handle;
  } catch (thrown) {
    throw fileError(thrown, path);
  }
}

function fileError(thrown: unknown, path: string): unknown {
  const { code } = thrown as NodeJS.ErrnoException;
  if (thrown instanceof CephbackupError || typeof code !== 'string') return thrown;
  const why = thrown instanceof Error ? thrown.message : code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new CephbackupError('TARGET_FULL', `${path}: ${why}`, { cause: thrown });
  if (code === 'ENOENT') return new CephbackupError('TARGET_NOT_FOUND', why, { cause: thrown });
  return new CephbackupError('RESTORE_FAILED', `${path}: ${why}`, { cause: thrown });
}
