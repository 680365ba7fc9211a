import type { PersistentVolume, PersistentVolumeClaim } from '../../lib/kube/types.js';

/** Where a claim's data are, as ceph-csi says it. */
export interface ClaimSource {
  driver: 'rbd.csi.ceph.com' | 'cephfs.csi.ceph.com';
  attributes: Record<string, string>;
  /** RBD only; default: a filesystem. */
  block?: boolean;
}

/** A claim and its volume `pv-<name>`, that say of each other that they are bound. */
export function boundClaim(
  namespace: string,
  name: string,
  { driver, attributes, block = false }: ClaimSource,
): [PersistentVolumeClaim, PersistentVolume] {
  const capacity = { storage: '1Gi' };
  const common = {
    // No provisioner is asked, here and on a cluster that has one.
    storageClassName: '',
    volumeMode: block ? 'Block' : 'Filesystem',
    accessModes: ['ReadWriteOnce'],
  };
  const spec = { ...common, volumeName: `pv-${name}`, resources: { requests: capacity } };
  const csi = { driver, volumeHandle: `${namespace}-${name}`, volumeAttributes: attributes };
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { namespace, name },
      spec,
      status: { phase: 'Bound', capacity },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `pv-${name}` },
      spec: { ...common, capacity, claimRef: { namespace, name }, csi },
      status: { phase: 'Bound' },
    },
  ];
}
