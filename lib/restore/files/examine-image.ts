import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { volumeDirectory } from '../../tools/node/namespace.js';
import { formatImage } from '../../tools/rbd/image-spec.js';
import type { RestoreJob } from '../job.js';
import { compareFiles } from './compare-files.js';
import { compareRoot } from './root-directory.js';
import { mapFilesystem, mountFilesystem, type FilesImageTarget, type Mapped } from './image-filesystem.js';

/**
 * Looks at an image that was restored as whoever uses it next will find it: maps it anew, so that everything comes from
 * Ceph, checks its filesystem, and compares its files with the backup. Writes nothing.
 *
 * @throws CephbackupError RESTORE_UNVERIFIED, MAP_FAILED, MOUNT_FAILED, REPOSITORY_…
 */
export async function examineImage(job: RestoreJob, target: FilesImageTarget): Promise<void> {
  const scope = job.newScope();
  try {
    const mapped = await mapFilesystem(job, scope, target);
    job.step(`checking the filesystem of ${formatImage(target.image)}`);
    await requireSound(mapped, target);
    await mountFilesystem(job, scope, target, mapped, 'ro');
    job.step(`comparing ${formatImage(target.image)} with the backup`);
    const directory = { namespace: mapped.namespace, path: volumeDirectory };
    await compareFiles(job, directory);
    await compareRoot(job, directory);
  } finally {
    job.leftovers.push(...(await scope.release()));
  }
}

async function requireSound({ filesystem }: Mapped, { image }: FilesImageTarget): Promise<void> {
  try {
    await filesystem.examine();
  } catch (thrown) {
    const { code, message } = asCephbackupError(thrown);
    if (code !== 'FILESYSTEM_CORRUPT') throw thrown;
    const text = `the filesystem of ${formatImage(image)} is not sound: ${message}`;
    throw new CephbackupError('RESTORE_UNVERIFIED', text, { cause: thrown });
  }
}
