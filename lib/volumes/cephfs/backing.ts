import { CephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import { isUuid, type Place } from './place.js';
import type { SnapshotDirectory } from './snapshots.js';

/**
 * The snapshot that a read-only volume shows; none is created, none removed. ceph-csi finds it as this does: by the one
 * name that contains the id [internal/cephfs/nodeserver.go, getBackingSnapshotRoot].
 * @throws CephbackupError BACKING_SNAPSHOT_NOT_FOUND
 */
export async function backingSnapshot(
  snapshots: SnapshotDirectory,
  { details, pv }: PlannedVolume,
  { root, below }: Place,
  signal: AbortSignal,
): Promise<{ snapshot: string; directory: string }> {
  const id = details?.backingSnapshot ?? null;
  if (id === null) {
    throw new CephbackupError(
      'BACKING_SNAPSHOT_NOT_FOUND',
      `the PersistentVolume ${pv ?? ''} shows a snapshot, but does not say which`,
    );
  }
  const names = await snapshots.list('', { signal });
  const candidates = names.includes(id) ? [id] : names.filter((name) => name.includes(id));
  const [snapshot] = candidates;
  if (snapshot === undefined || candidates.length > 1) {
    const found = snapshot === undefined ? 'no snapshot' : `${candidates.length} snapshots`;
    throw new CephbackupError('BACKING_SNAPSHOT_NOT_FOUND', `${root} has ${found} by the name of ${id}`);
  }
  // Where the path ends at the subvolume, the snapshot has one directory with the name that the subvolume's had.
  const inside = below !== '' ? below : (await snapshots.list(snapshot, { signal })).find(isUuid);
  return { snapshot, directory: inside === undefined ? snapshot : `${snapshot}/${inside}` };
}
