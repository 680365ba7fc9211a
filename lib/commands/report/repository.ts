import { keepArguments } from '../../retention/keep.js';
import { claimsOf, planRetention, type RetentionPlan } from '../../retention/plan.js';
import { readVerdicts } from '../../retention/verdicts.js';
import type { GoneClaim, PageBackup, PageRepository, PrunePreview } from '../../page/data.js';
import { newest, type StoredClaim } from '../../repository/claims.js';
import type { ResticSnapshot } from '../../tools/restic/restic.js';
import { resticOf } from '../shared/repository.js';
import type { StatusSurvey } from '../shared/status.js';
import type { ReportContext } from './report.js';

type Found = StatusSurvey & { snapshots: readonly ResticSnapshot[] };

/** What the repository holds of this cluster's claims. @throws CephbackupError REPOSITORY_… */
export async function pageRepository(context: ReportContext, found: Found): Promise<PageRepository> {
  const { snapshots, inventory, cluster } = found;
  const claims = claimsOf({ snapshots, cluster: cluster ?? '' });
  const byId = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
  const marked = new Map(found.status.volumes.map(({ uid, lastSnapshot }) => [uid, lastSnapshot]));
  const shown = (claim: StoredClaim) => backupsOf(claim, marked.get(claim.uid) ?? null, byId);
  const living = new Set(inventory.persistentVolumeClaims.flatMap(({ metadata }) => metadata?.uid ?? []));
  return {
    backups: new Map(claims.filter(({ uid }) => living.has(uid)).map((claim) => [claim.uid, shown(claim)])),
    gone: claims
      .filter(({ uid }) => !living.has(uid))
      .map((claim): GoneClaim => ({ ...claim, kind: newest(claim).kind, backups: shown(claim) })),
    prune: await preview(context, found, living),
  };
}

/** A snapshot that is newer than the marked one was never proven, or its mark could not be written. */
function backupsOf(
  { backups }: StoredClaim,
  marked: string | null,
  byId: ReadonlyMap<string, ResticSnapshot>,
): PageBackup[] {
  const isMarked = ({ id }: { id: string }) => id === marked || byId.get(id)?.original === marked;
  const proof = marked === null ? undefined : backups.find(isMarked);
  return backups.map(({ id, time, sizeBytes }) => ({
    id,
    timeMs: time,
    sizeBytes,
    addedBytes: byId.get(id)?.summary?.bytesAdded ?? null,
    proven: proof === undefined || time <= proof.time,
  }));
}

async function preview(
  context: ReportContext,
  { snapshots, cluster, inventory, prefix, now }: Found,
  living: ReadonlySet<string>,
): Promise<PrunePreview | null> {
  const { options, signal } = context;
  const rules = keepArguments({
    last: options.keepLast,
    hourly: options.keepHourly,
    daily: options.keepDaily,
    weekly: options.keepWeekly,
    monthly: options.keepMonthly,
    yearly: options.keepYearly,
    within: options.keepWithin,
  });
  const { keepDeleted } = options;
  if (rules.length === 0 && keepDeleted === null) return null;
  const ours = { snapshots, cluster: cluster ?? '' };
  const claims = rules.length === 0 ? [] : claimsOf(ours).filter(({ uid }) => living.has(uid));
  const verdicts = await readVerdicts(resticOf(context), { ...ours, claims, rules }, { signal });
  const marked = new Set(
    inventory.persistentVolumes.flatMap(
      ({ metadata }) => metadata?.annotations?.[`${prefix}/last-snapshot`] ?? [],
    ),
  );
  const plan = planRetention({ ...ours, living, marked, verdicts, keepDeleted, now: now.getTime() });
  const days = keepDeleted === null ? [] : [`--keep-deleted=${Math.round(keepDeleted / 3_600_000)}h`];
  return summary(plan, [...rules, ...days]);
}

function summary({ claims }: RetentionPlan, rules: readonly string[]): PrunePreview {
  const counts = claims.map(({ namespace, pvc, keep, forget }) => ({
    namespace,
    pvc,
    keep: keep.length,
    forget: forget.length,
  }));
  return {
    rules,
    keep: counts.reduce((sum, { keep }) => sum + keep, 0),
    forget: counts.reduce((sum, { forget }) => sum + forget, 0),
    claims: counts.filter(({ forget }) => forget > 0).toSorted((a, b) => b.forget - a.forget),
  };
}
