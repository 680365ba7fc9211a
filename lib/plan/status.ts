import { catalogue } from '../errors/catalogue.js';
import { attemptOf } from './attempt.js';
import { formatTime } from './last-backup.js';
import type { Plan, PlannedVolume, Reason } from './types.js';

/** Of a claim that is to be backed up: what the repository holds of it. */
export interface Stored {
  /** How many snapshots. */
  snapshots: number;
  /** Full id of the newest. */
  newestSnapshot: string | null;
  newestTime: string | null;
  /** Bytes that restic read for the newest. */
  sizeBytes: number | null;
  /**
   * `mark-without-snapshot`: the proven backup is gone, or what is there under its name is another tree.
   * `snapshot-without-mark`: neither a mark nor a record says that the newest one was proven; the next run makes another.
   */
  problem: 'mark-without-snapshot' | 'snapshot-without-mark' | null;
}

/**
 * `ok`, `stale` (older than --max-age), `never` (no backup), `missing` (marked, but not in the repository), of the
 * claims that are to be backed up; else `not-covered`.
 */
export type State = 'ok' | 'stale' | 'never' | 'missing' | 'not-covered';

export interface ClaimStatus extends Pick<
  PlannedVolume,
  'namespace' | 'pvc' | 'uid' | 'pv' | 'kind' | 'backup' | 'reason' | 'sizeBytes' | 'lastBackup'
> {
  state: State;
  /** False also where a claim is to be backed up and cannot be. */
  covered: boolean;
  /** Why it is not covered, in words. */
  why: string | null;
  /** Whose annotation keeps it from being backed up. */
  optedOutBy: 'namespace' | 'pv' | 'pvc' | null;
  ageSeconds: number | null;
  lastSnapshot: string | null;
  lastAttempt: string | null;
  /** An error code. */
  lastError: string | null;
  /** What to do about it. */
  guidance: string | null;
  lastVerified: string | null;
  /** Null unless the repository was asked. */
  repository: Stored | null;
}

export interface StatusTotals extends Record<Exclude<State, 'not-covered'>, number> {
  claims: number;
  selected: number;
  /** Claims whose last attempt failed. */
  failed: number;
  notCovered: number;
  /** Of the selected claims. */
  sizeBytes: number;
  oldestBackup: string | null;
  oldestAgeSeconds: number | null;
}

export interface StatusReport {
  volumes: ClaimStatus[];
  totals: StatusTotals;
  maxAgeSeconds: number | null;
  warnings: string[];
}

export interface StatusRequest {
  /** Of annotations, without the slash. */
  prefix: string;
  now: Date;
  maxAgeMs: number | null;
  /** What the repository holds of a volume; null where it was not asked. */
  stored: ((volume: PlannedVolume) => Stored) | null;
}

const whys: Partial<Record<Reason, string>> = {
  'not-bound': 'the claim is not bound',
  'claim-mismatch': 'its PersistentVolume is missing, or belongs to another claim',
  'not-ceph': 'it is not a volume of Ceph',
  'pv-false': 'opted out by its PersistentVolume',
  'namespace-false': 'opted out by its namespace',
  'pvc-false': 'opted out by the claim itself',
  'not-opted-in': 'no annotation asks for a backup',
  'host-collision': 'another claim has the same name in the repository',
};
const optedOutBy: Partial<Record<Reason, ClaimStatus['optedOutBy']>> = {
  'pv-false': 'pv',
  'namespace-false': 'namespace',
  'pvc-false': 'pvc',
};

/** How old the backups of a plan's claims are: a pure function. */
export function statusOf(plan: Plan, request: StatusRequest): StatusReport {
  const volumes = plan.volumes.map((volume) => claimStatus(volume, request));
  const { maxAgeMs } = request;
  const maxAgeSeconds = maxAgeMs === null ? null : maxAgeMs / 1000;
  return { volumes, totals: totals(volumes), maxAgeSeconds, warnings: plan.warnings };
}

function claimStatus(volume: PlannedVolume, { prefix, now, maxAgeMs, stored }: StatusRequest): ClaimStatus {
  const { namespace, pvc, uid, pv, kind, backup, reason, sizeBytes, lastBackup, details } = volume;
  const attempt = attemptOf(volume.claim, prefix);
  const age = lastBackup === null ? null : Math.max(0, now.getTime() - Date.parse(lastBackup));
  const repository = backup && stored !== null ? stored(volume) : null;
  const why = reason === 'unsupported' ? (details?.unsupported ?? null) : (whys[reason] ?? null);
  return {
    namespace,
    pvc,
    uid,
    pv,
    kind,
    state: stateOf(backup, age, maxAgeMs, repository),
    backup,
    reason,
    covered: why === null,
    why,
    optedOutBy: optedOutBy[reason] ?? null,
    sizeBytes,
    lastBackup,
    ageSeconds: age === null ? null : Math.floor(age / 1000),
    lastSnapshot: attempt.lastSnapshot,
    lastAttempt: time(attempt.lastAttempt),
    lastError: attempt.lastError,
    guidance: guidanceOf(attempt.lastError),
    lastVerified: time(attempt.lastVerified),
    repository,
  };
}

function stateOf(
  backup: boolean,
  age: number | null,
  maxAgeMs: number | null,
  repository: Stored | null,
): State {
  if (!backup) return 'not-covered';
  if (age === null) return 'never';
  if (repository?.problem === 'mark-without-snapshot') return 'missing';
  return maxAgeMs !== null && age > maxAgeMs ? 'stale' : 'ok';
}

/** A code that this version does not know stands for itself. */
function guidanceOf(code: string | null): string | null {
  if (code === null || !Object.hasOwn(catalogue, code)) return null;
  return catalogue[code as keyof typeof catalogue].guidance;
}

function totals(volumes: readonly ClaimStatus[]): StatusTotals {
  const selected = volumes.filter(({ backup }) => backup);
  const count = (state: State) => selected.filter((claim) => claim.state === state).length;
  const oldest = selected.reduce<ClaimStatus | null>(
    (found, claim) => ((claim.ageSeconds ?? -1) > (found?.ageSeconds ?? -1) ? claim : found),
    null,
  );
  return {
    claims: volumes.length,
    selected: selected.length,
    ok: count('ok'),
    stale: count('stale'),
    never: count('never'),
    missing: count('missing'),
    failed: selected.filter(({ lastError }) => lastError !== null).length,
    notCovered: volumes.filter(({ covered }) => !covered).length,
    sizeBytes: selected.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0),
    oldestBackup: oldest?.lastBackup ?? null,
    oldestAgeSeconds: oldest?.ageSeconds ?? null,
  };
}

function time(milliseconds: number | null): string | null {
  return milliseconds === null ? null : formatTime(milliseconds);
}
