import type { Inventory } from '../../lib/kube/types.js';
import { buildPlan } from '../../lib/plan/plan.js';
import type { Policy } from '../../lib/plan/policy.js';
import type { Plan, PlannedVolume } from '../../lib/plan/types.js';

export const prefix = 'cephbackup.hpc.nyu.edu';
export const now = new Date('2025-06-15T12:00:00Z');

export const everything: Policy = {
  prefix,
  namespaces: [],
  excludeNamespaces: [],
  pvcs: [],
  selector: null,
  storageClasses: [],
  minAgeMs: null,
  shard: null,
  clusters: null,
  drivers: [],
  optIn: false,
};

type Annotations = Record<string, unknown>;

/** One claim, its volume and its namespace; annotations by their keys below the prefix. */
export interface Entry {
  /** `NAMESPACE/NAME`. */
  claim: string;
  pvc?: Annotations;
  pv?: Annotations;
  namespace?: Annotations;
  labels?: Record<string, string>;
  storageClass?: string;
  phase?: string;
  uid?: string;
  /** The UID in the volume's claimRef, where it is not the claim's. */
  claimRefUid?: string;
  /** The volume's spec beside claimRef and capacity. Null: there is no such volume. */
  spec?: Record<string, unknown> | null;
  capacity?: unknown;
}

export const rbd = {
  csi: {
    driver: 'rbd.csi.ceph.com',
    fsType: 'ext4',
    volumeHandle: '0001-0009-rook-ceph-0000000000000002-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002',
    volumeAttributes: {
      clusterID: 'rook-ceph',
      pool: 'replicapool',
      imageName: 'csi-vol-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002',
    },
  },
};

export function below(annotations: Annotations = {}): Annotations {
  return Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`${prefix}/${key}`, value]));
}

/** The objects of some claims, as the Kubernetes API lists them. */
export function inventory(...entries: Entry[]): Inventory {
  const namespaces = new Map<string, unknown>();
  const claims: unknown[] = [];
  const volumes: unknown[] = [];
  for (const entry of entries) {
    const [namespace = '', name = ''] = entry.claim.split('/');
    const uid = entry.uid ?? `uid-of-${entry.claim}`;
    const pv = `pv-${namespace}.${name}`;
    if (!namespaces.has(namespace) || entry.namespace !== undefined) {
      namespaces.set(namespace, { metadata: { name: namespace, annotations: below(entry.namespace) } });
    }
    claims.push({
      metadata: { namespace, name, uid, annotations: below(entry.pvc), labels: entry.labels },
      spec: { volumeName: pv, storageClassName: entry.storageClass },
      status: { phase: entry.phase ?? 'Bound' },
    });
    if (entry.spec === null) continue;
    volumes.push({
      metadata: { name: pv, annotations: below(entry.pv) },
      spec: {
        claimRef: { namespace, name, uid: entry.claimRefUid ?? uid },
        capacity: { storage: entry.capacity ?? '1Gi' },
        ...(entry.spec ?? rbd),
      },
    });
  }
  return {
    namespaces: [...namespaces.values()],
    persistentVolumes: volumes,
    persistentVolumeClaims: claims,
  } as Inventory;
}

export function planOf(entries: Entry[], policy: Partial<Policy> = {}): Plan {
  return buildPlan(inventory(...entries), { ...everything, ...policy }, now);
}

/** The plan's line of the only claim. */
export function lineOf(entry: Omit<Entry, 'claim'>, policy: Partial<Policy> = {}): PlannedVolume {
  const [line] = planOf([{ claim: 'team/data', ...entry }], policy).volumes;
  if (line === undefined) throw new Error('the claim is not listed');
  return line;
}

/** `NAMESPACE/NAME reason`, in the plan's order. */
export function lines({ volumes }: Plan): string[] {
  return volumes.map(({ namespace, pvc, reason }) => `${namespace}/${pvc} ${reason}`);
}
