import type { EpochMs } from '../log/time.js';
import { parseQuantity } from '../kube/quantity.js';
import { Annotations } from './annotations.js';
import type { Identity } from './identity.js';
import { lastBackup } from './last-backup.js';
import type { ClaimView, NamespaceView, VolumeView } from './objects.js';
import type { Policy } from './policy.js';
import { identify } from './source.js';
import type { Reason } from './types.js';
import { selects, verdict, type Verdict } from './verdict.js';
import type { Warn } from './warnings.js';

/** A claim by itself, before other claims, shards and ages come in. */
export interface Assessment {
  view: ClaimView;
  pv: VolumeView | null;
  namespace: NamespaceView | null;
  /** Why the claim is not considered at all; null where it is. */
  excluded: Extract<Reason, 'not-bound' | 'claim-mismatch' | 'not-ceph'> | null;
  decision: Verdict;
  /** Whether it is considered and its annotations do not rule it out. */
  selected: boolean;
  /** Null where the claim is not considered. */
  identity: Identity | null;
  host: string;
  /** Of the claim's own volume, in bytes. */
  sizeBytes: number | null;
  /** Of this very claim. */
  lastBackup: EpochMs | null;
  /** The claim's group within its namespace; null where it has none. */
  group: string | null;
  /** Patterns of restic's, as the claim's annotation has them. */
  excludes: readonly string[];
}

export interface Surroundings {
  volumes: ReadonlyMap<string, VolumeView>;
  namespaces: ReadonlyMap<string, NamespaceView>;
  policy: Policy;
  now: Date;
}

export function assess(
  view: ClaimView,
  { volumes, namespaces, policy, now }: Surroundings,
  warn: Warn,
): Assessment {
  const { prefix } = policy;
  const pv = view.volumeName === null ? null : (volumes.get(view.volumeName) ?? null);
  const namespace = namespaces.get(view.namespace) ?? null;
  // What another claim's volume says does not concern this one.
  const own = pv !== null && pv.claimUid !== null && pv.claimUid === view.uid ? pv : null;
  const found = own === null ? null : identify(own, policy);
  const excluded =
    view.phase !== 'Bound'
      ? 'not-bound'
      : own === null
        ? 'claim-mismatch'
        : found === null
          ? 'not-ceph'
          : null;

  const claim = `${view.namespace}/${view.name}`;
  const onClaim = new Annotations('persistentvolumeclaim', claim, view.annotations, prefix, warn);
  const onNamespace =
    namespace && new Annotations('namespace', namespace.name, namespace.annotations, prefix, warn);
  const onVolume = own && new Annotations('persistentvolume', own.name, own.annotations, prefix, warn);
  for (const annotations of [onVolume, onNamespace, onClaim]) annotations?.checkKeys();
  const decision = verdict(onVolume?.backup() ?? null, onNamespace?.backup() ?? null, onClaim.backup());

  const identity = excluded === null && found !== null ? inMode(found, onVolume) : null;
  if (identity?.note != null) warn(`persistentvolumeclaim/${claim}`, identity.note);
  return {
    view,
    pv,
    namespace,
    excluded,
    decision,
    selected: excluded === null && selects(decision, policy.optIn),
    identity,
    host: `k8s-${view.namespace}-nspvc-${view.name}`,
    sizeBytes: own?.capacity == null ? null : parseQuantity(own.capacity),
    lastBackup: onVolume === null || view.uid === null ? null : lastBackup(onVolume, view.uid, now),
    group: onClaim.group(),
    excludes: excludesOf(identity, onClaim),
  };
}

/** Files alone can be left out of a backup. */
function excludesOf(identity: Identity | null, annotations: Annotations): string[] {
  const patterns = annotations.excludes();
  if (identity?.kind !== 'rbd-block') return patterns;
  if (patterns.length > 0) annotations.noEffect('exclude', 'the volume is backed up as a disk');
  return [];
}

/** With `mode: image`, an RBD filesystem is read as an image: no kernel parses what a tenant wrote. */
function inMode(identity: Identity, annotations: Annotations | null): Identity {
  if (annotations?.imageMode() !== true) return identity;
  if (identity.kind === 'cephfs') annotations.odd('mode', 'has no effect on CephFS');
  return identity.kind === 'rbd-filesystem' ? { ...identity, kind: 'rbd-block' } : identity;
}
