import { CephbackupError } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import type { Ceph } from '../tools/ceph/ceph.js';

const fsid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The fsid that a volume's clusterID names where no list says which monitors belong to it; else null. Those who set up
 * ceph-csi choose the clusterID, and mostly take the cluster's fsid.
 */
export function namedFsid({ source, details }: PlannedVolume): string | null {
  const cluster = source?.cluster ?? null;
  if ((details?.monitors ?? null) !== null) return null;
  return cluster !== null && fsid.test(cluster) ? cluster.toLowerCase() : null;
}

/**
 * Another cluster may well have an image or a directory of the same name, whose data are not the claim's.
 * @throws CephbackupError CLUSTER_MISMATCH
 */
export async function expectOwnCluster(
  volume: PlannedVolume,
  ceph: Ceph,
  signal: AbortSignal,
): Promise<void> {
  const named = namedFsid(volume);
  if (named === null) return;
  const { fsid: asked } = await ceph.status({ signal });
  if (asked.toLowerCase() === named) return;
  throw new CephbackupError(
    'CLUSTER_MISMATCH',
    `the volume is in the cluster ${named}, and ceph.conf's is ${asked}`,
  );
}
