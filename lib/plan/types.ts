import type { Claim } from '../kube/types.js';
import type { ClientOptions } from './client-options.js';

export type VolumeKind = 'rbd-filesystem' | 'rbd-block' | 'cephfs';

/** Where an RBD volume lives. `cluster` is ceph-csi's clusterID; what is not known is null. */
export interface RbdSource {
  cluster: string | null;
  pool: string | null;
  radosNamespace: string | null;
  image: string | null;
}

/** Where a CephFS volume lives; `path` is absolute within the filesystem. */
export interface CephfsSource {
  cluster: string | null;
  fs: string | null;
  group: string | null;
  subvolume: string | null;
  path: string | null;
}

/** Why a claim is, or is not, backed up: the first of these that applies. */
export const reasons = [
  'not-bound',
  'claim-mismatch',
  'not-ceph',
  'pv-false',
  'namespace-false',
  'pvc-false',
  'not-opted-in',
  'unsupported',
  'host-collision',
  'recent',
  'other-shard',
  'pv-true',
  'pvc-true',
  'namespace-true',
  'default',
] as const;
export type Reason = (typeof reasons)[number];

/** What a driver needs to know beyond what `list` prints. */
export interface VolumeDetails {
  /** As the PV names it; ext4 where it names none (ceph-csi's default). */
  fsType: string;
  /** Ceph's numeric pool id out of the volume handle, where the PV does not name the pool. */
  poolId: number | null;
  /** Ceph's numeric filesystem id out of the volume handle, where the PV does not name the filesystem. */
  fsId: number | null;
  /** Whether a read-only PV shows a snapshot of a CephFS subvolume; `source` is then that subvolume. */
  snapshotBacked: boolean;
  /** That snapshot's name. Null where there is none, and where the PV does not say it (ceph-csi often does not). */
  backingSnapshot: string | null;
  /** Says in words why the volume is `unsupported`; null where it is supported. */
  unsupported: string | null;
  /** Monitors of this volume's cluster where they differ from ceph.conf's (--ceph-clusters). */
  monitors: readonly string[] | null;
  /** For the kernel's client: how it is to speak with the cluster. */
  clientOptions: ClientOptions;
  encrypted: boolean;
  /** Whether the volume is mounted with `lazytime`: times of changed files may reach its disk a day after their data. */
  lazyTimes: boolean;
}

/** One line of the plan: a claim, the verdict, and everything that a driver needs. */
export interface PlannedVolume {
  namespace: string;
  pvc: string;
  /** The claim's UID: its identity everywhere. */
  uid: string;
  pv: string | null;
  kind: VolumeKind | null;
  backup: boolean;
  reason: Reason;
  /** The restic host, `k8s-<namespace>-nspvc-<pvc>`. */
  host: string;
  /** Capacity of the PersistentVolume in bytes. */
  sizeBytes: number | null;
  /** RFC 3339, UTC. */
  lastBackup: string | null;
  source: RbdSource | CephfsSource | null;
  details: VolumeDetails | null;
  /** The claims of one namespace with the same group share one moment; null where it has none. */
  group: string | null;
  /** Patterns of restic's, as the claim's annotation has them: what its backup leaves out. */
  excludes: readonly string[];
  claim: Claim;
}

/** What `list` prints and `run` executes. */
export interface Plan {
  /** Selected before others; never backed up before the oldest backup; then namespace and name, bytewise. */
  volumes: PlannedVolume[];
  warnings: string[];
  /** How many claims the policy selects before --shard and --min-age leave some out. */
  selected: number;
}
