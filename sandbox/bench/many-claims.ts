import { randomUUID } from 'node:crypto';
import type { KubeObject, ObjectMeta, PersistentVolume } from '../../lib/kube/types.js';
import { CephCluster } from '../ceph.js';
import { imageClaim, shareClaim } from '../claims.js';

/** Claims of each namespace. */
const perNamespace = 50;
const created = '2024-05-17T09:31:04Z';

/**
 * Namespaces, claims and volumes as `kubectl get ns,pv,pvc -A` prints them: images, block devices and shares. A tenth of
 * them is opted out.
 * @param optedOut all of them are
 */
export function manyClaims(count: number, optedOut = false): KubeObject[] {
  const cluster = new CephCluster({ dir: '/', fsid: randomUUID(), monitors: [], filesystems: [] });
  const namespaces: KubeObject[] = [];
  const claims: KubeObject[] = [];
  const volumes: KubeObject[] = [];
  for (let index = 0; index < count; index += 1) {
    const namespace = `team-${Math.floor(index / perNamespace)}`;
    if (index % perNamespace === 0) namespaces.push(stored(namespaceObject(namespace)));
    const out = optedOut || index % 10 === 0;
    const [claim = {}, volume = {}] = pair(cluster, { namespace, name: `data-${index}` }, index, out);
    const kept = stored(claim);
    claims.push(kept);
    volumes.push(stored(boundTo(volume, kept.metadata)));
  }
  return [...namespaces, ...volumes, ...claims];
}

function pair(
  cluster: CephCluster,
  name: { namespace: string; name: string },
  index: number,
  optedOut: boolean,
): KubeObject[] {
  const size = 10 * 1024 ** 3;
  const lastBackup = new Date(Date.now() - (index % 72) * 3_600_000).toISOString();
  const options = {
    size,
    claimAnnotations: {
      'pv.kubernetes.io/bind-completed': 'yes',
      'pv.kubernetes.io/bound-by-controller': 'yes',
      'volume.kubernetes.io/storage-provisioner': 'rbd.csi.ceph.com',
      ...(optedOut ? { 'cephbackup.hpc.nyu.edu/backup': 'false' } : {}),
    },
    volumeAnnotations: {
      'pv.kubernetes.io/provisioned-by': 'rbd.csi.ceph.com',
      'cephbackup.hpc.nyu.edu/last-backup': lastBackup,
      'cephbackup.hpc.nyu.edu/last-snapshot': randomUUID().replaceAll('-', '').repeat(2),
    },
  };
  const uuid = randomUUID();
  if (index % 5 === 4) {
    const subvolume = `csi-vol-${uuid}`;
    const path = `/volumes/csi/${subvolume}/${randomUUID()}`;
    return shareClaim(cluster, name, { ...options, filesystem: 'cephfs', group: 'csi', subvolume, path });
  }
  const fsType = index % 5 === 3 ? null : 'ext4';
  return imageClaim(cluster, name, { ...options, image: `rbd/csi-vol-${uuid}`, fsType });
}

function namespaceObject(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

/** With what the API adds to each object. */
function stored(object: KubeObject): KubeObject & { metadata: ObjectMeta } {
  const metadata = { uid: randomUUID(), resourceVersion: '48151623', creationTimestamp: created };
  return { ...object, metadata: { ...object.metadata, ...metadata } };
}

function boundTo(volume: KubeObject, { uid = '' }: ObjectMeta): KubeObject {
  const { spec = {}, ...rest } = volume as PersistentVolume;
  const bound: PersistentVolume = { ...rest, spec: { ...spec, claimRef: { ...spec.claimRef, uid } } };
  return bound;
}
