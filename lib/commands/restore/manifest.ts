import { asCephbackupError } from '../../errors/error.js';
import type { ClaimManifest } from '../../repository/manifests.js';
import type { RestoreJob } from '../../restore/job.js';
import { findManifest, nearestFirst, savedManifests } from '../../repository/saved-manifests.js';
import type { Ceph } from '../../tools/ceph/ceph.js';
import type { NewImage } from '../../tools/rbd/write.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';

/**
 * The manifest that was saved with a backup, as far as there is one: a backup can be restored without it.
 * @param needed what it has to tell to be of use
 */
export async function manifestOf(
  { backup, restic, signal, warn }: Pick<RestoreJob, 'backup' | 'restic' | 'signal' | 'warn'>,
  snapshots: readonly ResticSnapshot[],
  needed: (claim: ClaimManifest) => boolean = () => true,
): Promise<ClaimManifest | null> {
  const saved = savedManifests(snapshots).filter(({ cluster }) => cluster === backup.cluster);
  const isMeant = (claim: ClaimManifest) => claim.uid === backup.uid && needed(claim);
  try {
    const found = await findManifest(restic, nearestFirst(saved, backup.time), isMeant, signal);
    if (found !== null) return found.claim;
    warn(
      'no manifest of this backup was found: how its volume was made, and how an encrypted one is opened, is not known',
    );
    return null;
  } catch (thrown) {
    signal.throwIfAborted();
    warn(`the manifests of this backup cannot be read: ${asCephbackupError(thrown).message}`);
    return null;
  }
}

/** How a new image is made: with the features that its storage class gave it, and its data in the pool that it names. */
export async function newImage(
  { signal, warn }: Pick<RestoreJob, 'signal' | 'warn'>,
  ceph: Ceph,
  claim: ClaimManifest | null,
): Promise<NewImage> {
  const { imageFeatures = '', dataPool = '' } = claim?.persistentVolume?.spec?.csi?.volumeAttributes ?? {};
  // The kernels of this cluster are known to map those.
  const features = imageFeatures.split(',').map((feature) => feature.trim());
  const usable = features.every((feature) => /^[a-z][a-z-]*$/.test(feature));
  const known = dataPool !== '' && [...(await ceph.pools({ signal })).values()].includes(dataPool);
  if (dataPool !== '' && !known) warn(`there is no data pool ${dataPool} as the volume had: none is used`);
  return { features: usable ? features : null, dataPool: known ? dataPool : null };
}
