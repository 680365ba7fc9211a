import { createHash } from 'node:crypto';
import type { CephCluster } from './clusters.js';
import type { ClaimView } from './objects.js';
import { parseSelector } from './selector.js';

/** What the user's options say about which claims to back up. */
export interface Policy {
  /** Of annotations, without the slash. */
  prefix: string;
  /** Narrowing: what these leave out is not listed at all. An empty list leaves out nothing. */
  namespaces: readonly string[];
  excludeNamespaces: readonly string[];
  /** `NAMESPACE/NAME`. */
  pvcs: readonly string[];
  /** Kubernetes' syntax of label selectors. */
  selector: string | null;
  storageClasses: readonly string[];
  /** Volumes backed up more recently are left out. */
  minAgeMs: number | null;
  shard: Shard | null;
  /** ceph-csi's own `config.json`, where the user gave it. */
  clusters: readonly CephCluster[] | null;
  /** CSI drivers under other names than Ceph's own. */
  drivers: readonly NamedDriver[];
  /** Whether a claim is backed up only where an annotation says so. */
  optIn: boolean;
}

/** Which of Ceph's drivers a CSI driver is, whatever its name. */
export interface NamedDriver {
  name: string;
  type: 'rbd' | 'cephfs';
}

export interface Shard {
  /** From 0. */
  index: number;
  count: number;
}

/** Whether the narrowing options leave a claim in. @throws CephbackupError USAGE where the selector is none */
export function narrowing(policy: Policy): (claim: ClaimView) => boolean {
  const anyOf = (list: readonly string[]) => {
    const set = new Set(list);
    return (value: string) => set.size === 0 || set.has(value);
  };
  const namespaces = anyOf(policy.namespaces);
  const pvcs = anyOf(policy.pvcs);
  const storageClasses = anyOf(policy.storageClasses);
  const excluded = new Set(policy.excludeNamespaces);
  const labels = policy.selector === null ? () => true : parseSelector(policy.selector);
  return (claim) =>
    namespaces(claim.namespace) &&
    !excluded.has(claim.namespace) &&
    pvcs(`${claim.namespace}/${claim.name}`) &&
    storageClasses(claim.storageClass ?? '') &&
    labels(claim.labels);
}

/** The shard of a claim depends on its UID alone, so that it stays the same while claims come and go. */
export function inShard(uid: string, { index, count }: Shard): boolean {
  const digits = createHash('sha256').update(uid).digest('hex').slice(0, 8);
  return parseInt(digits, 16) % count === index;
}
