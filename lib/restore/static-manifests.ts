import type { KubeObject, ObjectMeta } from '../kube/types.js';
import type { ClaimManifest } from '../repository/manifests.js';
import type { ImageSpec } from '../tools/rbd/image-spec.js';

export interface StaticRequest {
  claim: ClaimManifest;
  /** Of this program's annotations: what it noted on the old volume is not true of the new one. */
  prefix: string;
  /** The restored image; null: it has the name that it had. */
  image: ImageSpec | null;
  /** Only the claim, for a storage class to provide a new volume. */
  claimOnly: boolean;
}

export interface StaticManifests {
  items: KubeObject[];
  /** What a person has to know or do beyond `kubectl apply`. */
  notes: string[];
}

/** Written by controllers when they provision and bind; they would be lies on a new object. */
const controllerAnnotation =
  /^(pv\.kubernetes\.io|volume\.kubernetes\.io|volume\.beta\.kubernetes\.io)\/|^kubectl\.kubernetes\.io\/last-applied-configuration$/;

/** The claim, and a volume in the form that ceph-csi calls static, which no provisioner has to know. */
export function staticManifests(request: StaticRequest): StaticManifests {
  const { claim, claimOnly } = request;
  const volume = claimOnly ? null : staticVolume(request);
  const persistentVolumeClaim = staticClaim(request, volume?.object.metadata?.name ?? null);
  return {
    items: [...(volume === null ? [] : [volume.object]), persistentVolumeClaim],
    notes: [
      ...(claim.persistentVolume === null && !claimOnly
        ? ['No PersistentVolume was saved with this claim.']
        : []),
      ...(volume?.notes ?? []),
    ],
  };
}

function staticClaim({ claim, prefix }: StaticRequest, volumeName: string | null): KubeObject {
  const saved = claim.persistentVolumeClaim;
  // A data source would be used again, and a binding is to the new volume or to none.
  const spec = without(saved.spec, ['volumeName', 'dataSource', 'dataSourceRef']);
  const metadata = { ...cleanMetadata(saved.metadata, prefix), namespace: claim.namespace, name: claim.pvc };
  return object('PersistentVolumeClaim', metadata, {
    ...spec,
    ...(volumeName === null ? {} : { volumeName }),
  });
}

function staticVolume(request: StaticRequest): { object: KubeObject; notes: string[] } | null {
  const { claim, prefix } = request;
  const saved = claim.persistentVolume;
  if (saved === null) return null;
  const { spec = {}, metadata = {} } = saved;
  const source = staticSource(request);
  const volume = object(
    'PersistentVolume',
    { ...cleanMetadata(metadata, prefix), name: metadata.name ?? '' },
    {
      ...without(spec, ['claimRef', 'csi', 'rbd', 'persistentVolumeReclaimPolicy']),
      // Nobody deletes a static volume's image but its administrator.
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: claim.namespace,
        name: claim.pvc,
      },
      ...source.fields,
    },
  );
  return { object: volume, notes: source.notes };
}

interface Source {
  fields: Record<string, unknown>;
  notes: string[];
}

/** Format: ceph-csi, docs/static-pvc.md. */
function staticSource({ claim, image }: StaticRequest): Source {
  const { csi, rbd } = claim.persistentVolume?.spec ?? {};
  if (csi === undefined) {
    return rbd === undefined
      ? { fields: {}, notes: [] }
      : { fields: { rbd: { ...rbd, ...(image && { pool: image.pool, image: image.image }) } }, notes: [] };
  }
  const attributes = without(csi.volumeAttributes, provisionersOwn) as Record<string, string>;
  const encrypted = csi.volumeAttributes?.encrypted === 'true' ? [encryptedNote] : [];
  if (claim.kind === 'cephfs') {
    const { volumeAttributes: old = {} } = csi;
    const rootPath = old.rootPath ?? old.subvolumePath ?? '';
    const handle = csi.volumeHandle ?? claim.persistentVolume?.metadata?.name;
    return {
      fields: {
        csi: {
          ...csi,
          volumeHandle: handle,
          volumeAttributes: { ...attributes, rootPath, staticVolume: 'true' },
        },
      },
      notes: [
        `The directory ${rootPath} must exist in the filesystem before the volume is used.`,
        ...encrypted,
      ],
    };
  }
  const { pool, radosNamespace, name } = imageOf(claim, image);
  return {
    fields: {
      csi: {
        ...csi,
        volumeHandle: name,
        volumeAttributes: {
          imageFeatures: 'layering',
          ...attributes,
          pool,
          ...(radosNamespace === null ? {} : { radosNamespace }),
          staticVolume: 'true',
        },
      },
    },
    notes: [
      `The volume is the image ${[pool, radosNamespace, name].filter(Boolean).join('/')}.`,
      staticNote,
      ...encrypted,
    ],
  };
}

/** ceph-csi, docs/static-pvc.md. */
const staticNote =
  'The volume is static: ceph-csi does not expand, snapshot, clone or delete it. A claim that its class provides (--claim-only, then restore --to-pvc) has no such limits.';

const encryptedNote =
  'The volume is encrypted: its key must be found under the new volumeHandle, or the data cannot be read.';

/** Attributes that say how a dynamic volume was made, and are read as such. */
const provisionersOwn = [
  'imageName',
  'journalPool',
  'radosNamespace',
  'subvolumeName',
  'subvolumePath',
  'backingSnapshot',
  'storage.kubernetes.io/csiProvisionerIdentity',
  'csi.storage.k8s.io/pv/name',
  'csi.storage.k8s.io/pvc/name',
  'csi.storage.k8s.io/pvc/namespace',
];

function imageOf({ source, persistentVolume }: ClaimManifest, image: ImageSpec | null) {
  if (image !== null) return { pool: image.pool, radosNamespace: image.namespace, name: image.image };
  const rbd = source !== null && 'pool' in source ? source : null;
  const attributes = persistentVolume?.spec?.csi?.volumeAttributes ?? {};
  return {
    pool: rbd?.pool ?? attributes.pool ?? '',
    radosNamespace: rbd?.radosNamespace ?? null,
    name: rbd?.image ?? attributes.imageName ?? persistentVolume?.spec?.csi?.volumeHandle ?? '',
  };
}

function object(kind: string, metadata: ObjectMeta, spec: Record<string, unknown>): KubeObject {
  const result = { apiVersion: 'v1', kind, metadata, spec };
  return result;
}

/** Name, labels and annotations; all else is the old object's own. */
function cleanMetadata({ labels, annotations }: ObjectMeta = {}, prefix: string): ObjectMeta {
  const kept = Object.entries(annotations ?? {}).filter(
    ([key]) => !controllerAnnotation.test(key) && !key.startsWith(`${prefix}/last-`),
  );
  return {
    ...(labels === undefined ? {} : { labels }),
    ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
  };
}

function without(object: object | undefined, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object ?? {}).filter(([key]) => !keys.includes(key)));
}
