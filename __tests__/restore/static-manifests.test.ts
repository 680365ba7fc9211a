import { describe, expect, test } from '@jest/globals';
import type { PersistentVolume, PersistentVolumeClaim } from '../../lib/kube/types.js';
import type { ClaimManifest } from '../../lib/repository/manifests.js';
import { staticManifests } from '../../lib/restore/static-manifests.js';

const prefix = 'cephbackup.example.com';

/** A claim as a cluster has it, with all that the API and controllers add. */
const saved: ClaimManifest = {
  uid: 'u-1',
  namespace: 'web',
  pvc: 'data',
  kind: 'rbd-filesystem',
  source: { cluster: 'ceph-1', pool: 'replica', radosNamespace: null, image: 'csi-vol-1' },
  namespaceAnnotations: {},
  image: null,
  persistentVolumeClaim: {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: 'data',
      namespace: 'web',
      uid: 'u-1',
      resourceVersion: '42',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: 'web' },
      annotations: {
        'pv.kubernetes.io/bind-completed': 'yes',
        'pv.kubernetes.io/bound-by-controller': 'yes',
        'volume.kubernetes.io/storage-provisioner': 'rbd.csi.ceph.com',
        'volume.beta.kubernetes.io/storage-provisioner': 'rbd.csi.ceph.com',
        [`${prefix}/backup`]: 'true',
        note: 'kept',
      },
      managedFields: [{ manager: 'kubectl' }],
      finalizers: ['kubernetes.io/pvc-protection'],
    } as PersistentVolumeClaim['metadata'] & object,
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 'fast',
      volumeMode: 'Filesystem',
      volumeName: 'pvc-u-1',
    } as PersistentVolumeClaim['spec'] & object,
    status: { phase: 'Bound', capacity: { storage: '1Gi' } },
  },
  persistentVolume: {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: 'pvc-u-1',
      uid: 'pv-u',
      resourceVersion: '43',
      annotations: {
        'pv.kubernetes.io/provisioned-by': 'rbd.csi.ceph.com',
        [`${prefix}/last-backup`]: '2026-01-01T00:00:00Z',
        [`${prefix}/last-backup-claim`]: 'u-1',
        [`${prefix}/mode`]: 'image',
      },
    },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'fast',
      volumeMode: 'Filesystem',
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { namespace: 'web', name: 'data', uid: 'u-1' },
      csi: {
        driver: 'rbd.csi.ceph.com',
        fsType: 'ext4',
        volumeHandle: '0001-0006-ceph-1-0000000000000002-11111111-2222-3333-4444-555555555555',
        nodeStageSecretRef: { name: 'csi-rbd-node', namespace: 'ceph-csi' },
        volumeAttributes: {
          clusterID: 'ceph-1',
          pool: 'replica',
          imageName: 'csi-vol-1',
          journalPool: 'replica',
          imageFeatures: 'layering,exclusive-lock',
          'storage.kubernetes.io/csiProvisionerIdentity': 'x',
        },
      } as PersistentVolume['spec'] extends infer S
        ? S extends { csi?: infer C }
          ? C & object
          : never
        : never,
    },
    status: { phase: 'Bound' },
  },
};

const request = { claim: saved, prefix, image: null, claimOnly: false };

describe('an RBD volume', () => {
  test('becomes a static volume in the form of ceph-csi, bound to its claim alone', () => {
    const [volume, claim] = staticManifests(request).items;
    expect(volume).toEqual({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'pvc-u-1', annotations: { [`${prefix}/mode`]: 'image' } },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'fast',
        volumeMode: 'Filesystem',
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'web', name: 'data' },
        csi: {
          driver: 'rbd.csi.ceph.com',
          fsType: 'ext4',
          nodeStageSecretRef: { name: 'csi-rbd-node', namespace: 'ceph-csi' },
          volumeHandle: 'csi-vol-1',
          volumeAttributes: {
            clusterID: 'ceph-1',
            pool: 'replica',
            imageFeatures: 'layering,exclusive-lock',
            staticVolume: 'true',
          },
        },
      },
    });
    expect(claim).toEqual({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: 'data',
        namespace: 'web',
        labels: { app: 'web' },
        annotations: { [`${prefix}/backup`]: 'true', note: 'kept' },
      },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: 'fast',
        volumeMode: 'Filesystem',
        volumeName: 'pvc-u-1',
      },
    });
  });

  test('says what ceph-csi does not do with it, and which claim has no such limits', () => {
    const said = staticManifests(request).notes.join();
    expect(said).toMatch(/does not expand, snapshot, clone or delete it.*--claim-only/);
  });

  test('of another name and RADOS namespace, where it was restored there', () => {
    const image = { pool: 'other', namespace: 'tenant', image: 'restored' };
    const [volume] = staticManifests({ ...request, image }).items as PersistentVolume[];
    expect(volume?.spec?.csi).toMatchObject({
      volumeHandle: 'restored',
      volumeAttributes: { pool: 'other', radosNamespace: 'tenant', staticVolume: 'true' },
    });
  });

  test('that is left out leaves a claim that any volume can be bound to', () => {
    const { items } = staticManifests({ ...request, claimOnly: true });
    expect(items).toHaveLength(1);
    expect(items[0]).not.toHaveProperty('spec.volumeName');
  });

  test('that is encrypted comes with a warning', () => {
    const claim = structuredClone(saved);
    Object.assign(claim.persistentVolume?.spec?.csi?.volumeAttributes ?? {}, { encrypted: 'true' });
    expect(staticManifests({ ...request, claim }).notes.join()).toContain('encrypted');
  });
});

test('a CephFS volume points to its directory', () => {
  const claim = structuredClone(saved);
  claim.kind = 'cephfs';
  Object.assign(claim.persistentVolume?.spec?.csi ?? {}, {
    driver: 'cephfs.csi.ceph.com',
    volumeAttributes: { clusterID: 'c', fsName: 'fs', subvolumeName: 's', subvolumePath: '/volumes/csi/s/u' },
  });
  const { items, notes } = staticManifests({ ...request, claim });
  expect((items[0] as PersistentVolume).spec?.csi?.volumeAttributes).toEqual({
    clusterID: 'c',
    fsName: 'fs',
    rootPath: '/volumes/csi/s/u',
    staticVolume: 'true',
  });
  expect(notes.join()).toContain('/volumes/csi/s/u');
});

test('what was saved without its volume is printed as far as it goes', () => {
  const { items, notes } = staticManifests({ ...request, claim: { ...saved, persistentVolume: null } });
  expect(items.map(({ kind }) => kind)).toEqual(['PersistentVolumeClaim']);
  expect(notes).not.toEqual([]);
});
