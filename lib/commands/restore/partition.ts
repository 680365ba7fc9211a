import { formatBytes } from '../../log/quantity.js';
import { CephbackupError } from '../../errors/error.js';
import { makePlace, openBackupDisk, type BackupDisk } from '../../look/backup-disk.js';
import { contentOf } from '../../look/disk.js';
import { isPhysicalVolume } from '../../look/filesystem.js';
import { mountPart } from '../../look/loop.js';
import { readLvm } from '../../look/lvm/read.js';
import type { LookTools } from '../../look/tools.js';
import { copyTree, requireInTree, type Tree } from '../../restore/files/copy-tree.js';
import { refuseLinkedParents } from '../../restore/files/restic-files.js';
import { prepareDirectory, resolveDirectory } from '../../restore/files/to-directory.js';
import type { Backup } from '../../repository/claims.js';
import type { RestoreJob, RestoreOutcome } from '../../restore/job.js';
import { unmount } from '../../tools/node/mount.js';
import { lookTools, openCommand, openLvmCommand } from '../shared/look.js';
import type { RestoreContext } from './place.js';

/** What is taken out of a disk. */
export interface WantedPart {
  /** 0: the disk itself, where it has no table. */
  partition: number;
  /** Null: everything. */
  path: string | null;
}

/**
 * Copies files out of a partition of a disk, which is mounted read-only where nobody else sees it.
 *
 * @throws CephbackupError TARGET_…, PATH_NOT_FOUND, FILESYSTEM_UNSUPPORTED, RESTORE_FAILED, RESTORE_UNVERIFIED …
 */
export async function partitionIntoDirectory(
  { context, job }: { context: RestoreContext; job: RestoreJob },
  { partition, path }: WantedPart,
  given: string,
): Promise<RestoreOutcome> {
  if (!context.root) throw new CephbackupError('USAGE', 'only root may mount a partition: run this as root');
  const found = await resolveDirectory(given);
  const tools = { ...lookTools(context), scope: job.newScope(), signal: job.signal };
  try {
    job.step('opening the disk');
    const disk = await openBackupDisk(tools, job.backup);
    const source = await mountPartition(tools, job.backup, disk, partition);
    if (path !== null) await requireInTree(source, path, openGuidance(job.backup, 'what is in it'));
    const { directory, target, content } = await prepareDirectory(job, given, found, {
      startDaemon: tools.startDaemon,
      env: tools.env,
      root: context.root,
    });
    await refuseLinkedParents(target, path);
    job.step(`restoring files into ${directory}`);
    const { files, bytes: written } = await copyTree(job, source, target, {
      part: path,
      keepsRoot: content === 'content',
      shown: directory,
    });
    job.state = 'complete';
    return { bytesWritten: written, files, diskSize: null };
  } finally {
    job.leftovers.push(...(await tools.scope.release()));
  }
}

/** @throws CephbackupError PATH_NOT_FOUND, FILESYSTEM_UNSUPPORTED, MOUNT_FAILED */
async function mountPartition(
  tools: LookTools,
  backup: Backup,
  { namespace, disk, parts }: BackupDisk,
  number: number,
): Promise<Tree> {
  const part = parts.find((one) => one.number === number);
  if (part === undefined) throw noPartition(number, parts, backup);
  const content = part.refused === null ? await contentOf(tools, disk, part) : null;
  const shown = number === 0 ? 'this disk' : `partition ${number}`;
  if (content?.type == null) {
    const lvm = content !== null && isPhysicalVolume(content);
    const group = lvm ? (await readLvm(disk, [part], tools.signal)).shown.get(part) : undefined;
    const why = part.refused ?? `it holds ${group ?? content?.name ?? 'nothing'}`;
    const guidance = lvm
      ? `Show its volumes, and copy out of them: \`${openLvmCommand(backup)}\`.`
      : 'Restore the whole disk with --to-file and look into it with tools that know what is in there.';
    throw new CephbackupError('FILESYSTEM_UNSUPPORTED', `${shown} cannot be mounted: ${why}`, { guidance });
  }
  const place = await makePlace(namespace);
  // Before what serves it ends: the other way round, the kernel would wait for a server that is gone.
  tools.scope.add(null, () => unmount(tools.exec, namespace, place));
  await mountPart(tools, disk, part, { ...content, type: content.type }, place, namespace);
  return { namespace, path: place };
}

function noPartition(number: number, parts: BackupDisk['parts'], backup: Backup): CephbackupError {
  const list = parts
    .map((part) =>
      part.number === 0 ? '0, the disk itself' : `${part.number} (${formatBytes(part.sizeBytes)})`,
    )
    .join(', ');
  const guidance = openGuidance(backup, 'what is in each of them');
  return new CephbackupError('PATH_NOT_FOUND', `the disk has no partition ${number}, but ${list}`, {
    guidance,
  });
}

function openGuidance(backup: Backup, what: string): string {
  return `See ${what}: \`${openCommand(backup)}\`.`;
}
