import { describeRules, hasRules } from '../../retention/keep.js';
import { storedClaims, type RetentionPlan } from '../../retention/plan.js';
import { markedIds } from '../../plan/marks.js';
import { counts } from '../../repository/proofs.js';
import type { GoneClaim, PageBackup, PageRepository, PrunePreview } from '../../page/data.js';
import { newest, type StoredClaim } from '../../repository/claims.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import type { StatusSurvey } from '../shared/status.js';
import type { ReportContext } from './report.js';
import { keepDeletedMs, keepRules, planPrune } from '../prune/rules.js';

type Found = StatusSurvey & { snapshots: readonly ResticSnapshot[] };

/** What the repository holds of this cluster's claims. */
export function pageRepository(context: ReportContext, found: Found): PageRepository {
  const { snapshots, inventory, cluster, prefix } = found;
  const marked = markedIds(inventory.persistentVolumes, prefix);
  const claims = storedClaims({ snapshots, cluster: cluster ?? '', marked });
  const byId = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
  const shown = (claim: StoredClaim) => backupsOf(claim, byId);
  const living = new Set(inventory.persistentVolumeClaims.flatMap(({ metadata }) => metadata?.uid ?? []));
  return {
    backups: new Map(claims.filter(({ uid }) => living.has(uid)).map((claim) => [claim.uid, shown(claim)])),
    gone: claims
      .filter(({ uid }) => !living.has(uid))
      .map((claim): GoneClaim => ({ ...claim, kind: newest(claim).kind, backups: shown(claim) })),
    prune: preview(context, found, living),
  };
}

function backupsOf({ backups }: StoredClaim, byId: ReadonlyMap<string, ResticSnapshot>): PageBackup[] {
  return backups.map(({ id, time, sizeBytes, proof }) => ({
    id,
    timeMs: time,
    sizeBytes,
    addedBytes: byId.get(id)?.summary?.bytesAdded ?? null,
    proven: counts(proof),
  }));
}

function preview(
  { options }: ReportContext,
  { snapshots, cluster, inventory, prefix, now }: Found,
  living: ReadonlySet<string>,
): PrunePreview | null {
  const rules = keepRules(options);
  const keptMs = keepDeletedMs(options);
  if (!hasRules(rules) && keptMs === null) return null;
  const marked = markedIds(inventory.persistentVolumes, prefix);
  const plan = planPrune(options, { snapshots, cluster: cluster ?? '', marked, living }, now.getTime());
  const days = keptMs === null ? [] : [`--keep-deleted=${Math.round(keptMs / 3_600_000)}h`];
  return summary(plan, [...describeRules(rules), ...days]);
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
