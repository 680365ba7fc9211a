import type { Inventory } from '../kube/types.js';
import { assess, type Assessment } from './assess.js';
import { groupsOf, type Group } from './groups.js';
import { formatTime } from './last-backup.js';
import { viewClaim, viewNamespace, viewVolume } from './objects.js';
import { inOrder } from './order.js';
import { inShard, narrowing, type Policy } from './policy.js';
import type { Plan, PlannedVolume, Reason } from './types.js';
import { Warnings } from './warnings.js';

/** The reasons that keep a claim from being backed up, and do not make the run fail. */
const leftOut: ReadonlySet<Reason> = new Set([
  'not-bound',
  'claim-mismatch',
  'not-ceph',
  'pv-false',
  'namespace-false',
  'pvc-false',
  'not-opted-in',
  'recent',
  'other-shard',
]);

/**
 * What to back up, and why: a pure function. A claim that cannot be backed up although it should stays selected, so
 * that the gap is seen until somebody opts the claim out.
 *
 * @throws CephbackupError USAGE where the policy's label selector is none
 */
export function buildPlan(inventory: Inventory, policy: Policy, now: Date): Plan {
  const warnings = new Warnings();
  const isListed = narrowing(policy);
  const surroundings = {
    volumes: byName(inventory.persistentVolumes.map(viewVolume)),
    namespaces: byName(inventory.namespaces.map(viewNamespace)),
    policy,
    now,
  };
  const claims = inventory.persistentVolumeClaims.map((object) => {
    const view = viewClaim(object);
    const listed = isListed(view);
    return { listed, ...assess(view, surroundings, listed ? warnings.add : () => undefined) };
  });

  // Narrowing one run must not hide that another run would write to the same host.
  const hosts = byHost(claims.filter(({ selected }) => selected));
  const groupOf = groupsOf(claims, warnings);
  const listed = claims.filter((claim) => claim.listed);
  const volumes = listed.map((claim) => {
    const rivals = hosts.get(claim.host) ?? [];
    const reason = reasonFor(claim, groupOf(claim), rivals.length > 1, policy, now);
    warnGap(claim, reason, rivals, warnings);
    return planned(claim, reason);
  });
  return {
    volumes: inOrder(volumes),
    warnings: warnings.lines(),
    selected: listed.filter(({ selected }) => selected).length,
  };
}

/** The first reason that applies, in their order of precedence. */
function reasonFor(
  claim: Assessment,
  group: Group | null,
  collides: boolean,
  policy: Policy,
  now: Date,
): Reason {
  const { excluded, selected, decision, identity, view } = claim;
  if (excluded !== null) return excluded;
  if (!selected) return decision === 'default' ? 'not-opted-in' : decision;
  if (identity?.details.unsupported !== null) return 'unsupported';
  if (collides) return 'host-collision';
  const { minAgeMs, shard } = policy;
  // A group is backed up as soon as one of its members is due, all of it in one shard.
  const { lastBackup } = group ?? claim;
  if (minAgeMs !== null && lastBackup !== null && now.getTime() - lastBackup < minAgeMs) return 'recent';
  if (shard !== null && !inShard(group?.shardKey ?? view.uid ?? '', shard)) return 'other-shard';
  return decision;
}

function planned(claim: Assessment, reason: Reason): PlannedVolume {
  const { view, pv, namespace, identity, lastBackup } = claim;
  return {
    namespace: view.namespace,
    pvc: view.name,
    uid: view.uid ?? '',
    pv: view.volumeName,
    kind: identity?.kind ?? null,
    backup: !leftOut.has(reason),
    reason,
    host: claim.host,
    sizeBytes: claim.sizeBytes,
    lastBackup: lastBackup === null ? null : formatTime(lastBackup),
    source: identity?.source ?? null,
    details: identity?.details ?? null,
    group: claim.group,
    excludes: claim.excludes,
    claim: { pvc: view.object, pv: pv?.object ?? null, namespace: namespace?.object ?? null },
  };
}

/** Says in words what a reason cannot: why a volume is unsupported, and with whom a host is shared. */
function warnGap(claim: Assessment, reason: Reason, rivals: readonly Assessment[], warnings: Warnings): void {
  const { view, host, identity } = claim;
  const object = `persistentvolumeclaim/${view.namespace}/${view.name}`;
  if (reason === 'unsupported')
    warnings.add(object, `it cannot be backed up: ${identity?.details.unsupported ?? ''}`);
  if (reason !== 'host-collision') return;
  const others = rivals
    .filter((rival) => rival !== claim)
    .map((rival) => `${rival.view.namespace}/${rival.view.name}`);
  warnings.add(
    object,
    `it cannot be backed up: it has the restic host ${host} in common with ${others.join(', ')}`,
  );
}

function byHost(claims: readonly Assessment[]): Map<string, Assessment[]> {
  const hosts = new Map<string, Assessment[]>();
  for (const claim of claims) {
    const sharers = hosts.get(claim.host);
    if (sharers === undefined) hosts.set(claim.host, [claim]);
    else sharers.push(claim);
  }
  return hosts;
}

/** By name; the first where there are several, which only a dump that was put together by hand has. */
function byName<T extends { name: string }>(views: readonly T[]): Map<string, T> {
  return new Map(views.toReversed().map((view) => [view.name, view]));
}
