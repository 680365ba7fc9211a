import type { PersistentVolumeClaim } from '../../lib/kube/types.js';
import { createSubvolume, mountShare } from '../../sandbox/ceph.js';
import { shareClaim } from '../../sandbox/claims.js';
import type { Scenario, SeededClaim } from '../support/scenario.js';

export const filesystem = 'cephfs';

export interface SeededShare extends SeededClaim {
  /** In the filesystem. */
  path: string;
}

/** A claim `demo/share` with a subvolume that has content, bound as ceph-csi binds it. */
export async function claimShare(
  { cluster, kube }: Scenario,
  group: string,
  fill: (root: string) => Promise<void>,
): Promise<SeededShare> {
  const name = { namespace: 'demo', name: 'share' };
  const path = await createSubvolume(cluster, { filesystem, group, name: name.name });
  const mounted = await mountShare(cluster, filesystem, path);
  await fill(mounted.path);
  await mounted.unmount();
  const source = { filesystem, group, subvolume: name.name, path };
  const seeded = await kube.seed(shareClaim(cluster, name, { ...source, size: 2 ** 20 }));
  const [claim] = seeded as [PersistentVolumeClaim];
  return { ...name, uid: claim.metadata?.uid ?? '', pv: claim.spec?.volumeName ?? '', image: '', path };
}
