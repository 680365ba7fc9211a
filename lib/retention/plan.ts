import { manifestsHost } from '../repository/manifests.js';
import { areClaimTags, areManifestTags, tagValue } from '../repository/tags.js';
import { rfc3339, type EpochMs } from '../log/time.js';
import {
  backupsOf,
  groupByClaim,
  newest,
  newestProven,
  type Backup,
  type StoredClaim,
} from '../repository/claims.js';
import { isComplete, isRecord } from '../repository/proofs.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';
import { neededManifests } from './manifests.js';
import { neededRecords } from './records.js';
import type { Verdict } from './rules.js';

export interface RetentionInput {
  /** All of the repository. */
  snapshots: readonly ResticSnapshot[];
  /** Whose backups these are: nothing of another cluster is looked at. */
  cluster: string;
  /** UIDs of the claims that exist; read after `snapshots`, so that no snapshot is older than its claim. */
  living: ReadonlySet<string>;
  /** Ids that PersistentVolumes name as their claims' proven backups, past claims' as well. */
  marked: ReadonlySet<string>;
  /** What the rules say, by id; of what is proven, what has none is kept. */
  verdicts: ReadonlyMap<string, Verdict>;
  /** Null: for ever. */
  keepDeletedMs: number | null;
  now: EpochMs;
}

export interface Decision {
  /** Full snapshot id. */
  id: string;
  time: EpochMs;
  /** Why it is kept, or why it goes. */
  reasons: string[];
}

export interface Decisions {
  keep: Decision[];
  forget: Decision[];
}

export interface ClaimDecisions extends Decisions {
  namespace: string;
  pvc: string;
  uid: string;
  exists: boolean;
}

export interface RetentionPlan {
  claims: ClaimDecisions[];
  manifests: Decisions;
  /** The records of what was proven. */
  proofs: Decisions;
  /** Snapshots of other clusters, and of whoever else uses the repository: they are not touched. */
  others: number;
}

/** What goes and what stays, with the reason for each. Only what is in `forget` may ever be removed. */
export function planRetention(input: RetentionInput): RetentionPlan {
  const exact = new Set(input.snapshots.flatMap(({ id, tags }) => (areClaimTags(tags) ? id : [])));
  const records = input.snapshots.filter(
    (snapshot) => isRecord(snapshot) && tagValue(snapshot.tags, 'cluster') === input.cluster,
  );
  const lastRecord = Math.max(-Infinity, ...records.map(({ time }) => Date.parse(time)));
  const claims = storedClaims(input).map((claim) => decide(claim, input, exact, lastRecord));
  const manifests = decideManifests(input, claims);
  const proofs = decideRecords(input, records, claims);
  const decided = [...claims, manifests, proofs];
  const ours = decided.reduce((sum, { keep, forget }) => sum + keep.length + forget.length, 0);
  return { claims, manifests, proofs, others: input.snapshots.length - ours };
}

/** The claims of this cluster that have snapshots. */
export function storedClaims({
  snapshots,
  cluster,
  marked,
}: Pick<RetentionInput, 'snapshots' | 'cluster' | 'marked'>): StoredClaim[] {
  const backups = backupsOf(snapshots, { cluster, ids: marked });
  return groupByClaim(backups.filter((backup) => backup.cluster === cluster));
}

/** All ids that go. */
export function forgottenIds(plan: RetentionPlan): string[] {
  return allDecisions(plan).flatMap(({ forget }) => forget.map(({ id }) => id));
}

export function allDecisions({ claims, manifests, proofs }: RetentionPlan): Decisions[] {
  return [...claims, manifests, proofs];
}

/**
 * @param exact ids of the snapshots that have the tags of a claim and no other
 * @param lastRecord when proofs were last recorded
 */
function decide(
  claim: StoredClaim,
  input: RetentionInput,
  exact: ReadonlySet<string>,
  lastRecord: number,
): ClaimDecisions {
  const { namespace, pvc, uid, backups } = claim;
  const exists = input.living.has(uid);
  const result: ClaimDecisions = { namespace, pvc, uid, exists, keep: [], forget: [] };
  for (const backup of backups) {
    const { id, time } = backup;
    const { keep, reasons } = !exact.has(id)
      ? { keep: true, reasons: ['it has tags of somebody else'] }
      : (ofUnproven(backup, claim, lastRecord) ??
        (exists ? ofLiving(backup, claim, input) : ofDeleted(claim, input)));
    (keep ? result.keep : result.forget).push({ id, time, reasons });
  }
  return result;
}

/**
 * What counts for nothing goes as soon as there is something newer that counts for sure, and a later run has told what
 * it proved; null: it counts.
 */
function ofUnproven({ proof, time }: Backup, { backups }: StoredClaim, lastRecord: number): Verdict | null {
  if (proof === 'changed') {
    return { keep: true, reasons: ['changed since it was proven (restic rewrite or repair): not counted'] };
  }
  if (proof !== 'unproven') return null;
  const superseded = backups.some((other) => other.proof === 'proven' && other.time > time);
  return superseded && lastRecord > time
    ? { keep: false, reasons: ['never proven, and a newer one is'] }
    : { keep: true, reasons: ['not proven, and not counted: no newer one is known to be proven'] };
}

function ofLiving(backup: Backup, claim: StoredClaim, { verdicts, marked }: RetentionInput): Verdict {
  const { id } = backup;
  const verdict = verdicts.get(id);
  const guards = [
    ...(isLastResort(backup, claim) ? ['newest image, and no backup of its files is newer'] : []),
    ...(id === newestProven(claim)?.id ? ['newest of a claim that exists'] : []),
    ...(marked.has(id) ? ['marked on its PersistentVolume'] : []),
    ...(verdict === undefined ? ['no rule was applied to it'] : []),
  ];
  const keep = guards.length > 0 || verdict?.keep !== false;
  return { keep, reasons: keep ? [...(verdict?.reasons ?? []), ...guards] : ['no rule keeps it'] };
}

/** What there is of a filesystem that could not be mended, until its files are backed up again. */
function isLastResort(backup: Backup, { backups }: StoredClaim): boolean {
  const newer = backups.slice(backups.indexOf(backup) + 1);
  return backup.proof === 'image' && !newer.some(({ proof }) => isComplete(proof));
}

/** Nobody can back up a deleted claim again: it keeps everything, until its newest is too old, and then nothing. */
function ofDeleted(claim: StoredClaim, { keepDeletedMs, now }: RetentionInput): Verdict {
  if (keepDeletedMs === null) return { keep: true, reasons: ['its claim exists no more: kept for ever'] };
  const last = claim.backups.findLast(({ proof }) => isComplete(proof)) ?? newest(claim);
  const end = last.time + keepDeletedMs;
  return end < now
    ? { keep: false, reasons: [`its claim exists no more: kept until ${rfc3339(end)}`] }
    : { keep: true, reasons: [`its claim exists no more: kept until ${rfc3339(end)}`] };
}

function decideManifests(
  { snapshots, cluster, now }: RetentionInput,
  claims: readonly ClaimDecisions[],
): Decisions {
  const saved = snapshots.flatMap(({ id, time, hostname, tags }) => {
    const isOne =
      hostname === manifestsHost &&
      areManifestTags(tags) &&
      tagValue(tags, 'kind') === 'manifests' &&
      tagValue(tags, 'cluster') === cluster;
    return isOne ? [{ id, time: Date.parse(time) }] : [];
  });
  const kept = claims.flatMap(({ keep }) => keep.map(({ time }) => time));
  const needed = neededManifests(saved, kept, now);
  const decisions: Decisions = { keep: [], forget: [] };
  for (const { id, time } of saved.toSorted((a, b) => a.time - b.time)) {
    if (needed.has(id)) decisions.keep.push({ id, time, reasons: ['saved near a backup that is kept'] });
    else decisions.forget.push({ id, time, reasons: ['no backup near it is kept'] });
  }
  return decisions;
}

function decideRecords(
  { snapshots }: RetentionInput,
  records: readonly ResticSnapshot[],
  claims: readonly ClaimDecisions[],
): Decisions {
  const forgotten = new Set(claims.flatMap(({ forget }) => forget.map(({ id }) => id)));
  const needed = neededRecords(
    records,
    snapshots.filter(({ id }) => !forgotten.has(id)),
  );
  const decisions: Decisions = { keep: [], forget: [] };
  for (const { id, time } of records.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time))) {
    const decision = { id, time: Date.parse(time) };
    if (needed.has(id))
      decisions.keep.push({ ...decision, reasons: ['it tells of a snapshot that is kept'] });
    else decisions.forget.push({ ...decision, reasons: ['all that it tells of is gone'] });
  }
  return decisions;
}
