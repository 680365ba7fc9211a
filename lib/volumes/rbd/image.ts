import { CephbackupError } from '../../errors/error.js';
import type { PlannedVolume, RbdSource } from '../../plan/types.js';
import type { Ceph } from '../../tools/ceph/ceph.js';
import { imageSpec, type ImageSpec, type Rbd } from '../../tools/rbd/images.js';

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

/** @throws CephbackupError SOURCE_NAME_INVALID, IMAGE_NOT_FOUND */
export function locateImage(clientsFor: ClientsFor): LocateImage {
  return async (volume, signal) => {
    const source = volume.source as RbdSource;
    const { rbd, ceph } = clientsFor(volume.details?.monitors ?? null);
    const pool = source.pool ?? (await poolByIdOf(volume, ceph, signal));
    if (source.image === null) {
      throw new CephbackupError('IMAGE_NOT_FOUND', `the PersistentVolume ${volume.pv ?? ''} names no image`);
    }
    return { rbd, image: imageSpec(pool, source.radosNamespace, source.image), cluster: source.cluster };
  };
}

/** Volumes of old ceph-csi releases name their pool only by the id in the volume handle. */
async function poolByIdOf(volume: PlannedVolume, ceph: Ceph, signal: AbortSignal): Promise<string> {
  const id = volume.details?.poolId ?? null;
  const name = id === null ? undefined : (await ceph.pools({ signal })).get(id);
  if (name !== undefined) return name;
  const which = id === null ? 'no pool' : `the pool with id ${id}, which does not exist`;
  throw new CephbackupError('IMAGE_NOT_FOUND', `the PersistentVolume ${volume.pv ?? ''} names ${which}`);
}
