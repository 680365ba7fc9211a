import { asCephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { Restic } from '../../tools/restic/restic.js';
import { locateImage, type ClientsFor } from '../../volumes/rbd/image.js';

const oneAttempt = { patienceMs: 0 };

/** Asks the repository for something small. @throws CephbackupError REPOSITORY_… */
export async function askRepository(restic: Restic, signal: AbortSignal): Promise<void> {
  await restic.snapshots(['kind=none'], { signal, patience: oneAttempt });
}

/** Asks the cluster of a volume for something small. @throws CephbackupError CEPH_UNREACHABLE; any other answer is one */
export async function askCluster(
  clientsFor: ClientsFor,
  volume: PlannedVolume,
  signal: AbortSignal,
): Promise<void> {
  const { rbd, ceph } = clientsFor(volume.details?.monitors ?? null);
  const options = { signal, patience: oneAttempt };
  try {
    if (volume.kind === 'cephfs') await ceph.json(['fs', 'ls'], options);
    else await rbd.info((await locateImage(clientsFor)(volume, signal)).image, options);
  } catch (thrown) {
    if (asCephbackupError(thrown).code === 'CEPH_UNREACHABLE') throw thrown;
  }
}
