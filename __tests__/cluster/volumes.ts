import { randomFillSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { boundClaim, type ClaimSource } from '../../sandbox/cluster/claims.js';
import type { CephCluster } from '../../sandbox/ceph/cluster.js';
import { createSubvolume } from '../../sandbox/ceph/shares.js';
import { create, getJson, kubectl } from './kubernetes.js';

export const tenant = 'tenant';
export const mebibyte = 1024 * 1024;

/** Creates a claim as ceph-csi would have left it, and waits until Kubernetes itself has bound it. @returns its UID */
export async function createClaim(name: string, source: ClaimSource, place = tenant): Promise<string> {
  await create(boundClaim(place, name, source));
  await kubectl('wait', '--namespace', place, '--for=jsonpath={.status.phase}=Bound', `pvc/${name}`);
  const { metadata } = await getJson<{ metadata: { uid: string } }>('pvc', name, '--namespace', place);
  return metadata.uid;
}

export async function deleteClaim(name: string, place = tenant): Promise<void> {
  await kubectl('delete', '--namespace', place, `pvc/${name}`);
  await kubectl('delete', `pv/pv-${name}`);
}

export const imageOf = (imageName: string, block = false): ClaimSource => ({
  driver: 'rbd.csi.ceph.com',
  attributes: { clusterID: 'sandbox', pool: 'rbd', imageName },
  block,
});

/** Fills an image (anew) with bytes that no compression makes smaller. @returns the file with the same bytes */
export async function fillImage(
  cluster: CephCluster,
  image: string,
  size: number,
  folder: string,
): Promise<string> {
  const file = path.join(folder, `${image}.raw`);
  await writeFile(file, randomFillSync(Buffer.alloc(size)));
  await cluster.attempt('rbd', ['rm', '--no-progress', `rbd/${image}`]);
  await cluster.rbd('import', '--no-progress', file, `rbd/${image}`);
  return file;
}

/** A subvolume as ceph-csi names it in a volume. */
export async function shareOf(cluster: CephCluster, name: string): Promise<ClaimSource & { path: string }> {
  const at = await createSubvolume(cluster, { filesystem: 'cephfs', group: 'csi', name });
  const attributes = {
    clusterID: 'sandbox',
    fsName: 'cephfs',
    subvolumeName: name,
    subvolumePath: at,
  };
  return { driver: 'cephfs.csi.ceph.com', attributes, path: at };
}
