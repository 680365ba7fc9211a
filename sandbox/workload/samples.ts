import type { KubeObject } from '../../lib/kube/types.js';
import type { CephCluster } from '../ceph/cluster.js';
import { imageClaim, localClaim } from '../claims.js';
import { startBlock } from './block.js';
import { writeTables, writeUploads } from './content.js';
import { startFilesystem } from './filesystem.js';
import { startShare } from './share.js';
import type { Workload } from './workload.js';

const mebibyte = 1024 ** 2;

/** Of the subvolumes; ceph-csi's default. */
export const sampleGroup = 'csi';

/** What the demo and the sandbox show, one line a volume. All are in use until stopped. */
const samples: ((cluster: CephCluster) => Promise<Workload>)[] = [
  (cluster) =>
    startFilesystem(
      cluster,
      { namespace: 'shop', name: 'database' },
      { pool: 'rbd', fsType: 'ext4', size: 128 * mebibyte, title: 'a database', fill: writeTables },
    ),
  (cluster) =>
    startFilesystem(
      cluster,
      { namespace: 'shop', name: 'uploads' },
      { pool: 'rbd/tenant-a', fsType: 'xfs', size: 320 * mebibyte, title: 'pictures', fill: writeUploads },
    ),
  (cluster) =>
    startBlock(
      cluster,
      { namespace: 'vms', name: 'disk' },
      { pool: 'rbd', size: 64 * mebibyte, title: 'the disk of a virtual machine' },
    ),
  (cluster) =>
    startShare(
      cluster,
      { namespace: 'office', name: 'documents' },
      {
        filesystem: 'cephfs',
        group: sampleGroup,
        size: 320 * mebibyte,
        title: 'documents',
        fill: writeUploads,
      },
    ),
];

export async function startSamples(cluster: CephCluster): Promise<Workload[]> {
  await cluster.rbd('namespace', 'create', 'rbd/tenant-a');
  return Promise.all(samples.map((start) => start(cluster)));
}

/** Claims that are not backed up, each for another reason. */
export function otherClaims(cluster: CephCluster): KubeObject[] {
  const optOut = { 'cephbackup.hpc.nyu.edu/backup': 'false' };
  const image = 'rbd/csi-vol-00000000-0000-0000-0000-000000000000';
  const size = 8 * mebibyte;
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'scratch', annotations: optOut } },
    ...imageClaim(cluster, { namespace: 'scratch', name: 'cache' }, { image, fsType: 'ext4', size }),
    ...localClaim({ namespace: 'shop', name: 'on-a-node' }, { size }),
  ];
}
