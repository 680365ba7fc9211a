import { asCephbackupError } from '../errors/error.js';
import type { ClaimManifest } from '../repository/manifests.js';
import type { RestoreJob } from '../restore/job.js';
import { findManifest, nearestFirst, savedManifests } from '../restore/saved-manifests.js';
import type { ResticSnapshot } from '../tools/restic.js';

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
    return found?.claim ?? null;
  } catch (thrown) {
    signal.throwIfAborted();
    warn(`the manifests of this backup cannot be read: ${asCephbackupError(thrown).message}`);
    return null;
  }
}

/** Features that the image's storage class gave it: the kernels of this cluster are known to map those. */
export function imageFeatures(claim: ClaimManifest | null): string[] | null {
  const given = claim?.persistentVolume?.spec?.csi?.volumeAttributes?.imageFeatures ?? '';
  const features = given.split(',').map((feature) => feature.trim());
  return features.every((feature) => /^[a-z][a-z-]*$/.test(feature)) ? features : null;
}
