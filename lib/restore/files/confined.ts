import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError, messageOf } from '../../errors/error.js';
import type { StartDaemon } from '../../tools/process/daemon.js';
import type { Environment } from '../../tools/process/environment.js';
import type { NamespaceRef } from '../../tools/process/exec.js';
import { mountLocally, safeMountOptions } from '../../tools/node/mount.js';
import { openNamespace, pathInside, readMounts, volumeDirectory } from '../../tools/node/namespace.js';
import type { RestoreJob } from '../job.js';

export interface ConfineTools {
  startDaemon: StartDaemon;
  env: Environment;
  /** Whether this program runs as root, who may mount. */
  root: boolean;
}

/** A directory as restic gets it. */
export interface WritableDirectory {
  /** Where `path` exists; null: where this program runs. */
  namespace: NamespaceRef | null;
  path: string;
}

/** How this program reaches it. */
export function reach({ namespace, path: directory }: WritableDirectory): string {
  return namespace === null ? directory : pathInside(namespace, directory);
}

/**
 * Shows a directory at a place of its own where the kernel follows no symbolic link: whatever the backup contains and
 * the directory contained before, nothing is written, nor any mode changed, behind a link that leads out of it. restic
 * alone follows a link on the way to a part of a backup, and one that stands where a hostile tree has a file, too.
 *
 * Only root may mount. What others restore is limited to what they may write anyhow: they get a warning.
 *
 * @param directory absolute, without links @throws CephbackupError NAMESPACE_FAILED, MOUNT_FAILED, TARGET_UNSUITABLE
 */
export async function confine(
  job: RestoreJob,
  directory: string,
  { startDaemon, env, root }: ConfineTools,
): Promise<WritableDirectory> {
  if (!root) {
    job.warn(
      'this program is not root: all files will belong to its user, and devices and some attributes cannot be restored',
    );
    return { namespace: null, path: directory };
  }
  await requireWritable(directory);
  const { exec, scope, signal } = job;
  const namespace = await openNamespace(startDaemon, env);
  scope.add(null, () => namespace.close());
  await refuseMountsBelow(namespace, directory);
  await mountLocally(exec, namespace, ['--bind', '--', directory, volumeDirectory], signal);
  const flags = ['remount', 'bind', ...safeMountOptions()].join(',');
  await mountLocally(exec, namespace, ['-o', flags, '--', volumeDirectory], signal);
  await requireSame(namespace, directory);
  return { namespace, path: volumeDirectory };
}

/** Whether there is anything in a directory; an empty lost+found belongs to the filesystem. */
export async function hasContent(directory: WritableDirectory): Promise<boolean> {
  const root = reach(directory);
  const names = await readdir(root);
  if (names.length === 1 && names[0] === 'lost+found') {
    return (await readdir(path.join(root, 'lost+found'))).length > 0;
  }
  return names.length > 0;
}

/** Also what is mounted read-only for this program alone: the bind mount would not be. */
async function requireWritable(directory: string): Promise<void> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = messageOf(cause);
    throw new CephbackupError('TARGET_UNSUITABLE', `cannot be written: ${why}`, { cause });
  }
}

/** A bind mount shows one filesystem only: what is mounted below would be written under. */
async function refuseMountsBelow(namespace: NamespaceRef, directory: string): Promise<void> {
  const prefix = directory === '/' ? '/' : `${directory}/`;
  const below = (await readMounts(namespace)).find(
    ({ mountPoint }) => mountPoint !== '/' && mountPoint.startsWith(prefix),
  );
  if (below === undefined) return;
  const message = `another filesystem is mounted within ${directory}, at ${below.mountPoint}: restore beside it`;
  throw new CephbackupError('TARGET_UNSUITABLE', message);
}

/** Somebody may have exchanged the directory since its path was looked up. */
async function requireSame(namespace: NamespaceRef, directory: string): Promise<void> {
  const [meant, shown] = await Promise.all([stat(directory), stat(pathInside(namespace, volumeDirectory))]);
  if (meant.dev === shown.dev && meant.ino === shown.ino) return;
  throw new CephbackupError('TARGET_UNSUITABLE', `${directory} was exchanged for something else`);
}
