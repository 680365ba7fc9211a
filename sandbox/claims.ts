import { randomUUID } from 'node:crypto';
import type { CephCluster } from './ceph/cluster.js';
import type { KubeObject, PersistentVolume, PersistentVolumeClaim } from '../lib/kube/types.js';

/** Objects to seed a Kubernetes API with; see the Kubernetes API reference for the fields that are no concern of ours. */
type Seedable = KubeObject & Record<string, unknown>;

export interface ClaimName {
  namespace: string;
  name: string;
}

export interface ClaimOptions {
  /** Bytes that the claim asks for. */
  size: number;
  claimAnnotations?: Record<string, string>;
  volumeAnnotations?: Record<string, string>;
}

export interface ImageClaimOptions extends ClaimOptions {
  /** `POOL[/NAMESPACE]/IMAGE` */
  image: string;
  /** A filesystem's type; null for a claim that is a block device. */
  fsType: string | null;
  /** The pool of its data, where that is another. */
  dataPool?: string;
}

export interface ShareClaimOptions extends ClaimOptions {
  filesystem: string;
  group: string;
  subvolume: string;
  /** As `ceph fs subvolume getpath` prints it. */
  path: string;
}

/** A claim that is bound to an image, and its volume, as ceph-csi's RBD driver makes them. */
export function imageClaim(
  cluster: Pick<CephCluster, 'fsid'>,
  claim: ClaimName,
  options: ImageClaimOptions,
): Seedable[] {
  const parts = options.image.split('/');
  const [pool = '', radosNamespace = '', imageName = ''] =
    parts.length === 3 ? parts : [parts[0], '', parts[1]];
  const csi = {
    driver: 'rbd.csi.ceph.com',
    volumeHandle: handle(cluster.fsid, imageName),
    ...(options.fsType === null ? {} : { fsType: options.fsType }),
    volumeAttributes: {
      clusterID: cluster.fsid,
      pool,
      journalPool: pool,
      imageName,
      imageFeatures: 'layering',
      ...(radosNamespace === '' ? {} : { radosNamespace }),
      ...(options.dataPool === undefined ? {} : { dataPool: options.dataPool }),
    },
  };
  return boundPair(claim, options, 'ceph-rbd', options.fsType === null ? 'Block' : 'Filesystem', csi);
}

/** A claim that is bound to a CephFS subvolume, and its volume, as ceph-csi's CephFS driver makes them. */
export function shareClaim(
  cluster: Pick<CephCluster, 'fsid'>,
  claim: ClaimName,
  options: ShareClaimOptions,
): Seedable[] {
  const csi = {
    driver: 'cephfs.csi.ceph.com',
    volumeHandle: handle(cluster.fsid, options.subvolume),
    volumeAttributes: {
      clusterID: cluster.fsid,
      fsName: options.filesystem,
      subvolumeName: options.subvolume,
      subvolumePath: options.path,
    },
  };
  return boundPair(claim, options, 'ceph-fs', 'Filesystem', csi);
}

/** A claim that is bound to a plain directory of a CephFS, and its volume, as an administrator makes them by hand. */
export function directoryClaim(
  cluster: CephCluster,
  claim: ClaimName,
  options: ClaimOptions & { filesystem: string; path: string },
): Seedable[] {
  const csi = {
    driver: 'cephfs.csi.ceph.com',
    volumeHandle: `static-${claim.namespace}-${claim.name}`,
    volumeAttributes: {
      clusterID: cluster.fsid,
      fsName: options.filesystem,
      staticVolume: 'true',
      rootPath: options.path,
    },
  };
  return boundPair(claim, options, 'ceph-fs-static', 'Filesystem', csi);
}

/** A claim that is bound to a folder of a node: nothing of Ceph's. */
export function localClaim(claim: ClaimName, options: ClaimOptions): Seedable[] {
  return boundPair(claim, options, 'local', 'Filesystem', undefined);
}

function boundPair(
  { namespace, name }: ClaimName,
  { size, claimAnnotations, volumeAnnotations }: ClaimOptions,
  storageClassName: string,
  volumeMode: 'Block' | 'Filesystem',
  csi: NonNullable<PersistentVolume['spec']>['csi'] | undefined,
): Seedable[] {
  const volumeName = `pvc-${randomUUID()}`;
  const capacity = { storage: String(size) };
  const common = { accessModes: ['ReadWriteOnce'], storageClassName, volumeMode };
  const claim: PersistentVolumeClaim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { namespace, name, ...annotated(claimAnnotations) },
    spec: { ...common, volumeName, ...{ resources: { requests: capacity } } },
    status: { phase: 'Bound', capacity },
  };
  const source = csi === undefined ? { hostPath: { path: `/srv/${name}` } } : { csi };
  const volume: PersistentVolume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volumeName, ...annotated(volumeAnnotations) },
    spec: {
      ...common,
      capacity,
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { namespace, name },
      ...source,
    },
    status: { phase: 'Bound' },
  };
  return [claim as Seedable, volume as Seedable];
}

function annotated(annotations: Record<string, string> | undefined) {
  return annotations === undefined ? {} : { annotations };
}

/**
 * ceph-csi's volume handle: version, length of the cluster's ID in hex, that ID, the pool's (or filesystem's) id, and
 * the UUID that ends the name of the image or subvolume (its internal/util/volid.go).
 */
function handle(clusterId: string, name: string): string {
  const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.exec(name)?.[0] ?? randomUUID();
  const length = clusterId.length.toString(16).padStart(4, '0');
  return `0001-${length}-${clusterId}-${'1'.padStart(16, '0')}-${uuid}`;
}
