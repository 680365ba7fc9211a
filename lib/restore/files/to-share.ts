import { CephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import { openNamespace } from '../../tools/node/namespace.js';
import type { CephfsTools } from '../../volumes/cephfs/driver.js';
import { clientDirectory, mountInScope } from '../../volumes/cephfs/client.js';
import { locateShare } from '../../volumes/cephfs/locate.js';
import type { RestoreJob, RestoreOutcome } from '../job.js';
import { restoreRoot } from './root-directory.js';
import { decide, unlessRefused } from '../overwrite.js';
import { refuseLinkedParents, requirePart, restoreFiles } from './restic-files.js';
import { hasContent } from './confined.js';

export interface ShareTarget {
  volume: PlannedVolume;
  tools: CephfsTools;
  confirmUnused: () => Promise<void>;
}

/**
 * Restores files into the directory of a CephFS volume. CephFS has nothing by which one client could keep out others:
 * that nobody uses the claim is what Kubernetes says, before the first byte and after the last.
 *
 * @throws CephbackupError TARGET_…, CEPHFS_…, MOUNT_FAILED, PATH_NOT_FOUND, RESTORE_FAILED …
 */
export async function filesToShare(
  job: RestoreJob,
  { volume, tools, confirmUnused }: ShareTarget,
  part: string | null,
): Promise<RestoreOutcome> {
  const { signal } = job;
  if (volume.details?.snapshotBacked === true) {
    const message = `${volume.namespace}/${volume.pvc} shows a snapshot, which cannot be written`;
    throw new CephbackupError('TARGET_UNSUITABLE', message);
  }
  if (part !== null) await requirePart(job, part);
  await confirmUnused();
  const { cephFs, fs, place, cluster, kernelOptions } = await locateShare(tools.cephFsFor, volume, signal);
  const root = place.below === '' ? place.root : `${place.root === '/' ? '' : place.root}/${place.below}`;
  const scope = job.newScope();
  try {
    const namespace = await openNamespace(tools.startDaemon, tools.env);
    scope.add(null, () => namespace.close());
    const request = { connection: cephFs.connection, fs, root, namespace, signal, warn: job.warn };
    const options = { writable: true, kernelOptions };
    const mount = await mountInScope(tools.client, { ...request, ...options }, { scope, cluster });
    const target = { namespace, path: clientDirectory };
    const content = (await hasContent(target)) ? ('content' as const) : ('empty' as const);
    const situation = { target: 'share', content: 'files', found: content, marker: null } as const;
    const shown = `the volume of ${volume.namespace}/${volume.pvc}`;
    unlessRefused(decide({ ...situation, force: job.force }), shown);
    await refuseLinkedParents(target, part);
    job.step(`restoring files into ${fs}:${root}`, part === null ? job.backup.sizeBytes : null);
    const { files, bytes } = await restoreFiles(job, target, part);
    if (part === null) await restoreRoot(job, target);
    const [left] = await scope.release();
    if (left !== undefined) {
      throw new CephbackupError('RESTORE_FAILED', `the filesystem could not be unmounted: ${left.reason}`);
    }
    const lost = mount.lost();
    if (lost !== null)
      throw new CephbackupError('RESTORE_FAILED', `not all may have reached the filesystem: ${lost}`);
    await confirmUnused();
    job.state = 'complete';
    return { bytesWritten: bytes, files, diskSize: null };
  } finally {
    job.leftovers.push(...(await scope.release()));
  }
}
