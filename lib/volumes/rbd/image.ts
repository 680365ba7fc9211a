import { CephbackupError } from '../../errors/error.js';
import type { PlannedVolume, RbdSource } from '../../plan/types.js';
import type { Ceph } from '../../tools/ceph/ceph.js';
import { expectOwnCluster } from '../own-cluster.js';
import { imageSpec, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';

export interface LocatedImage {
  rbd: Rbd;
  image: ImageSpec;
  cluster: string | null;
}

/** Finds the image of a planned RBD volume and the connection to its cluster. */
export type LocateImage = (volume: PlannedVolume, signal: AbortSignal) => Promise<LocatedImage>;

export interface CephClients {
  rbd: Rbd;
  ceph: Ceph;
}

/** The clients for the cluster of a volume: those of ceph.conf, or with the monitors that --ceph-clusters gives. */
export type ClientsFor = (monitors: readonly string[] | null) => CephClients;

/** @throws CephbackupError SOURCE_NAME_INVALID, IMAGE_NOT_FOUND, CLUSTER_MISMATCH */
export function locateImage(clientsFor: ClientsFor): LocateImage {
  return async (volume, signal) => {
    const source = volume.source as RbdSource;
    const { rbd, ceph } = clientsFor(volume.details?.monitors ?? null);
    await expectOwnCluster(volume, ceph, signal);
    const pool = await poolOf(volume, ceph, signal);
    if (pool === null) {
      throw new CephbackupError('IMAGE_NOT_FOUND', `the PersistentVolume ${volume.pv ?? ''} names no pool`);
    }
    if (source.image === null) {
      throw new CephbackupError('IMAGE_NOT_FOUND', `the PersistentVolume ${volume.pv ?? ''} names no image`);
    }
    return { rbd, image: imageSpec(pool, source.radosNamespace, source.image), cluster: source.cluster };
  };
}

/**
 * The pool of a volume; null where it names none. Volumes of old ceph-csi releases name it only by the id in the volume
 * handle.
 * @throws CephbackupError IMAGE_NOT_FOUND where no pool has that id
 */
export async function poolOf(
  { source, details, pv }: PlannedVolume,
  ceph: Ceph,
  signal: AbortSignal,
): Promise<string | null> {
  const { pool } = source as RbdSource;
  const id = details?.poolId ?? null;
  if (pool !== null || id === null) return pool;
  const found = await ceph.poolName(id, { signal });
  if (found !== null) return found;
  throw new CephbackupError(
    'IMAGE_NOT_FOUND',
    `the PersistentVolume ${pv ?? ''} names the pool with id ${id}, which does not exist`,
  );
}
