import { mkdir, readdir, realpath, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError, messageOf } from '../../errors/error.js';
import type { RestoreJob, RestoreOutcome } from '../job.js';
import { restoreRoot } from './root-directory.js';
import { decide, unlessRefused } from '../overwrite.js';
import { confine, hasContent, type ConfineTools, type WritableDirectory } from './confined.js';
import { refuseLinkedParents, requirePart, restoreFiles } from './restic-files.js';

/**
 * Restores files into a directory: a new or an empty one, or, with force, any; then files of the same name are
 * overwritten, and none is deleted. Needs no Ceph.
 *
 * @throws CephbackupError TARGET_…, PATH_NOT_FOUND, RESTORE_FAILED, RESTORE_UNVERIFIED, BACKUP_DAMAGED …
 */
export async function filesToDirectory(
  job: RestoreJob,
  given: string,
  part: string | null,
  tools: ConfineTools,
): Promise<RestoreOutcome> {
  const found = await resolveDirectory(given);
  if (part !== null) await requirePart(job, part);
  const { directory, target, content } = await prepareDirectory(job, given, found, tools);
  await refuseLinkedParents(target, part);
  job.step(`restoring files into ${directory}`, part === null ? job.backup.sizeBytes : null);
  const { files, bytes } = await restoreFiles(job, target, part);
  // One that had content is somebody's own, and keeps what it is.
  if (part === null && content === 'empty') await restoreRoot(job, target, tools.root);
  job.state = 'complete';
  return { bytesWritten: bytes, files, diskSize: null };
}

export interface PreparedDirectory {
  /** Absolute, without links. */
  directory: string;
  target: WritableDirectory;
  content: 'empty' | 'content';
}

/**
 * A directory that may be written into: made where there is none.
 * @param found what `resolveDirectory` found
 * @throws CephbackupError TARGET_…, NAMESPACE_FAILED, MOUNT_FAILED
 */
export async function prepareDirectory(
  job: RestoreJob,
  given: string,
  found: string | null,
  tools: ConfineTools,
): Promise<PreparedDirectory> {
  const directory = found ?? (await makeDirectory(job, given));
  const target = await confine(job, directory, tools);
  const content = (await hasContent(target)) ? ('content' as const) : ('empty' as const);
  const situation = { target: 'directory', content: 'files', found: content, marker: null } as const;
  unlessRefused(decide({ ...situation, force: job.force }), `the directory ${given}`);
  return { directory, target, content };
}

/** The directory itself, without links on the way; null where there is none. @throws CephbackupError TARGET_UNSUITABLE */
export async function resolveDirectory(given: string): Promise<string | null> {
  try {
    const found = await realpath(given);
    await readdir(found);
    return found;
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    const why = code === 'ENOTDIR' ? 'it is no directory' : messageOf(thrown);
    throw new CephbackupError('TARGET_UNSUITABLE', `${given}: ${why}`, { cause: thrown });
  }
}

/** For its owner alone: what a volume contains may be anything, device files included. */
async function makeDirectory(job: RestoreJob, given: string): Promise<string> {
  try {
    await makeFolders(given);
    const made = await realpath(given);
    job.scope.add(null, async () => {
      // Where nothing was written it is empty, and goes.
      if (job.state === 'untouched') await rmdir(made).catch(() => undefined);
    });
    return made;
  } catch (cause) {
    const message = `the directory cannot be created: ${messageOf(cause)}`;
    throw new CephbackupError('TARGET_NOT_FOUND', message, { cause });
  }
}

/** Step by step: Node's own recursive mkdir never ends where the kernel lets nobody make a directory, as in /proc. */
async function makeFolders(folder: string): Promise<void> {
  const parent = path.dirname(folder);
  if (parent !== folder && (await stat(parent).catch(() => null)) === null) await makeFolders(parent);
  await mkdir(folder, { mode: 0o700 });
}
