import { randomUUID } from 'node:crypto';
import type { CephCluster } from '../ceph/cluster.js';
import { createSubvolume, mountShare } from '../ceph/shares.js';
import { shareClaim, type ClaimName, type ClaimOptions } from '../claims.js';
import { useFiles } from './files.js';
import type { Workload } from './workload.js';

export interface ShareOptions extends ClaimOptions {
  filesystem: string;
  group: string;
  title: string;
  fill: (root: string) => Promise<void>;
}

/** A CephFS subvolume that is mounted and written to. */
export async function startShare(
  cluster: CephCluster,
  claim: ClaimName,
  { filesystem, group, title, fill, ...options }: ShareOptions,
): Promise<Workload> {
  const subvolume = `csi-vol-${randomUUID()}`;
  const path = await createSubvolume(cluster, { filesystem, group, name: subvolume }, options.size);
  const mounted = await mountShare(cluster, filesystem, path);
  await fill(mounted.path);
  const files = await useFiles(mounted);
  return {
    claim,
    title: `a CephFS share, ${title}`,
    objects: shareClaim(cluster, claim, { ...options, filesystem, group, subvolume, path }),
    ...files,
  };
}
