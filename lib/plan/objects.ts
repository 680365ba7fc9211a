import type { Namespace, PersistentVolume, PersistentVolumeClaim } from '../kube/types.js';

/**
 * Kubernetes objects as the planner sees them. Nothing in an object can be relied on: a dump is a file that anybody may
 * have written, and a volume's attributes are whatever its author put there. A field of a wrong type counts as absent.
 */
export type Fields = Readonly<Record<string, unknown>>;

export interface ClaimView {
  object: PersistentVolumeClaim;
  namespace: string;
  name: string;
  uid: string | null;
  phase: string | null;
  volumeName: string | null;
  storageClass: string | null;
  labels: Fields;
  annotations: Fields;
}

export interface VolumeView {
  object: PersistentVolume;
  name: string;
  /** The UID of the claim that this volume belongs to. */
  claimUid: string | null;
  annotations: Fields;
  block: boolean;
  mountOptions: readonly string[];
  capacity: string | null;
  csi: { driver: string | null; handle: string | null; fsType: string | null; attributes: Fields };
  /** The in-tree sources of Kubernetes, where the volume has one. */
  rbd: { pool: string | null; image: string | null; fsType: string | null } | null;
  cephfs: { path: string | null } | null;
}

export interface NamespaceView {
  object: Namespace;
  name: string;
  annotations: Fields;
}

/** The fields of an object; none where the value is something else. */
export function fields(value: unknown): Fields {
  return optionalFields(value) ?? {};
}

/** A string that is not empty, else null: an empty field means the same as none wherever this program reads one. */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A boolean as Go's `strconv.ParseBool` reads it, which is what ceph-csi does with its attributes. */
export function flag(value: unknown): boolean {
  return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text(value) ?? '');
}

export function viewClaim(object: PersistentVolumeClaim): ClaimView {
  const { metadata, spec, status } = fields(object);
  const meta = fields(metadata);
  const annotations = fields(meta.annotations);
  return {
    object,
    namespace: text(meta.namespace) ?? '',
    name: text(meta.name) ?? '',
    uid: text(meta.uid),
    phase: text(fields(status).phase),
    volumeName: text(fields(spec).volumeName),
    // The annotation is how Kubernetes before 1.6 named the class; where present, it still counts there.
    storageClass:
      text(annotations['volume.beta.kubernetes.io/storage-class']) ?? text(fields(spec).storageClassName),
    labels: fields(meta.labels),
    annotations,
  };
}

export function viewVolume(object: PersistentVolume): VolumeView {
  const { metadata, spec: anySpec } = fields(object);
  const spec = fields(anySpec);
  const csi = fields(spec.csi);
  const rbd = optionalFields(spec.rbd);
  const cephfs = optionalFields(spec.cephfs);
  return {
    object,
    name: text(fields(metadata).name) ?? '',
    claimUid: text(fields(spec.claimRef).uid),
    annotations: fields(fields(metadata).annotations),
    block: spec.volumeMode === 'Block',
    mountOptions: Array.isArray(spec.mountOptions)
      ? spec.mountOptions.flatMap((option) => text(option) ?? [])
      : [],
    capacity: text(fields(spec.capacity).storage),
    csi: {
      driver: text(csi.driver),
      handle: text(csi.volumeHandle),
      fsType: text(csi.fsType),
      attributes: fields(csi.volumeAttributes),
    },
    rbd: rbd && { pool: text(rbd.pool), image: text(rbd.image), fsType: text(rbd.fsType) },
    cephfs: cephfs && { path: text(cephfs.path) },
  };
}

export function viewNamespace(object: Namespace): NamespaceView {
  const { metadata } = fields(object);
  return {
    object,
    name: text(fields(metadata).name) ?? '',
    annotations: fields(fields(metadata).annotations),
  };
}

function optionalFields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}
