import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { markVerified } from '../../kube/marks.js';
import { verifyMetrics } from '../../metrics/verify.js';
import { verifyTable } from './table.js';
import { rfc3339 } from '../../log/time.js';
import { contentOf } from '../../restore/target.js';
import { exitCode } from '../../errors/exit-code.js';
import type { Restic } from '../../tools/restic/restic.js';
import { freshCache, freshCachePlace } from '../../tools/restic/fresh-cache.js';
import { readWholeDisk } from '../../verify/disk.js';
import { readFiles } from '../../verify/files.js';
import { claimProofs } from '../../verify/claim-proofs.js';
import { reportDamage } from '../../verify/damage/report.js';
import {
  notBegun,
  proveClaims,
  type ProofEnd,
  type ProofJob,
  type Proven,
} from '../../verify/prove-claims.js';
import { withinBytes, type Candidate } from '../../verify/rotation.js';
import type { VerifyReport } from '../../verify/report.js';
import type { Command } from '../../cli/command.js';
import { resticOf } from '../shared/repository.js';
import { manifestOf } from '../restore/manifest.js';
import type { DrillGround } from './ground.js';
import { readScope, type VerifyContext, type VerifyScope, type VerifyValues } from './scope.js';

/** Proves that backups restore: reads them from the repository, all of each, and checks what comes. */
export const verify: Command<VerifyValues> = async (context) => {
  const started = context.clock();
  const cache = await freshCache(context.env.RESTIC_CACHE_DIR);
  try {
    const place = freshCachePlace(context.env.RESTIC_CACHE_DIR);
    const restic = resticOf({ ...context, env: { ...context.env, RESTIC_CACHE_DIR: cache.folder } }, place);
    const scope = await readScope(context, restic);
    for (const warning of scope.warnings) context.log.warn(warning);
    const ground = context.options.drill === true ? await openGround(context) : null;
    const ends = await prove(context, scope, restic, ground).finally(() => ground?.close());
    return await finish(context, { started, scope, restic, ends, ground });
  } finally {
    await cache.remove();
  }
};

async function openGround(context: VerifyContext): Promise<DrillGround> {
  return (await import('./ground.js')).DrillGround.open(context);
}

async function prove(
  context: VerifyContext,
  scope: VerifyScope,
  restic: Restic,
  ground: DrillGround | null,
): Promise<ProofEnd[]> {
  const { options, operands, log } = context;
  const signal = AbortSignal.any([context.signal, ...(ground?.lost ?? [])]);
  const budget = operands.length === 0 ? options.budget : null;
  const { candidates } = scope;
  const most =
    budget !== null && 'bytes' in budget ? withinBytes(candidates, budget.bytes) : candidates.length;
  const ends = await proveClaims({
    candidates: candidates.slice(0, most),
    concurrency: options.concurrency ?? 4,
    budgetMs: budget !== null && 'milliseconds' in budget ? budget.milliseconds : null,
    signal,
    log,
    progress: context.progress(),
    prove: (candidate, job) => readBackup({ context, restic, scope, ground, candidate, job }),
    proved: (end) => mark(context, scope, end),
  });
  return [...ends, ...candidates.slice(most).map(notBegun)];
}

interface Reading {
  context: VerifyContext;
  restic: Restic;
  scope: VerifyScope;
  ground: DrillGround | null;
  candidate: Candidate;
  job: ProofJob;
}

async function readBackup({ context, restic, scope, ground, candidate, job }: Reading): Promise<Proven> {
  const { backup } = candidate;
  const { snapshots } = scope;
  const maybeDrill = async (exactSize: number | null) => {
    if (ground === null) return null;
    const { drill } = await import('./drill.js');
    return drill(context, { ground, restic, snapshots, candidate, exactSize, job });
  };
  job.step(`reading snapshot ${backup.id.slice(0, 8)}`, backup.sizeBytes);
  if (contentOf(backup.kind) === 'disk') {
    const parts = { ...job, restic, backup };
    const manifest = await manifestOf(parts, snapshots, ({ image }) => image !== null);
    const exactSize = manifest?.image?.sizeBytes ?? null;
    const bytes = await readWholeDisk({ ...parts, exactSize });
    return { bytes, files: null, drill: await maybeDrill(exactSize) };
  }
  const snapshot = snapshots.find(({ id }) => id === backup.id);
  const read = await readFiles({
    ...job,
    restic,
    snapshot: { id: backup.id, summary: snapshot?.summary ?? null },
  });
  return { ...read, drill: await maybeDrill(null) };
}

/** A proof is marked also while the program is being stopped. */
const markPatienceMs = 60_000;

/** A claim whose newest snapshot is lost is not marked: what was read is not its last backup. */
async function mark({ clock, log }: VerifyContext, scope: VerifyScope, end: ProofEnd): Promise<void> {
  const { candidate } = end;
  const { claim, pv, markedSnapshot } = candidate;
  log.info('verified', { volume: `${claim.namespace}/${claim.pvc}`, seconds: end.seconds });
  if (scope.api === null || pv === null) return;
  if (scope.lost.some(({ id }) => id === markedSnapshot)) return;
  const time = clock();
  try {
    const about = { verified: rfc3339(time), snapshotId: candidate.backup.id };
    const target = { pv, claimUid: claim.uid, prefix: scope.prefix, ...about };
    const signal = AbortSignal.timeout(2 * markPatienceMs);
    const result = await markVerified(scope.api, target, { signal, patienceMs: markPatienceMs });
    if (result === 'marked') candidate.lastVerified = time;
    else end.warnings.push('the claim vanished meanwhile: its volume is not annotated');
  } catch (thrown) {
    end.error = new CephbackupError('PV_NOT_MARKED', asCephbackupError(thrown).message, {
      guidance:
        'The backup is sound, but its PersistentVolume could not be annotated; the next verify reads it again.',
      cause: thrown,
    });
    log.error(end.error.message, { code: end.error.code });
  }
}

interface Finishing {
  started: number;
  scope: VerifyScope;
  restic: Restic;
  ends: ProofEnd[];
  ground: DrillGround | null;
}

async function finish(context: VerifyContext, { started, scope, restic, ends, ground }: Finishing) {
  const { log, operands } = context;
  const wanted = operands.length === 0 ? null : new Set(operands);
  const { proofs, errors } = claimProofs(ends, scope.lost, wanted);
  const { damage, warnings } = await reportDamage(ends, { ...scope, restic, signal: context.signal, log });
  if (damage.length > 0 && errors.length === 0) {
    errors.push(new CephbackupError('SNAPSHOT_DAMAGED', 'older snapshots are damaged'));
  }
  const nothing = proofs.length === 0 ? nothingToVerify(scope) : null;
  if (nothing !== null) errors.push(nothing);
  const lost = ground?.lost.find(({ aborted }) => aborted);
  if (lost !== undefined) errors.push(asCephbackupError(lost.reason));
  const leftovers = ground?.leftovers ?? [];
  const code = exitCode(context.endedBy(), errors, leftovers);
  const error = errors.find(({ kind }) => kind !== 'failed') ?? nothing ?? undefined;
  if (error !== undefined) log.error(error.message, { code: error.code, guidance: error.guidance });
  const report: VerifyReport = {
    started: new Date(started).toISOString(),
    finished: new Date(context.clock()).toISOString(),
    exitCode: code,
    drill: context.options.drill === true,
    claims: proofs,
    damage,
    leftovers,
    warnings: [...scope.warnings, ...(ground?.warnings ?? []), ...warnings],
    ...(error === undefined ? {} : { error: error.report() }),
  };
  return {
    document: report,
    table: (width: number | null) => verifyTable(report, width),
    exitCode: code,
    metrics: verifyMetrics(report),
  };
}

/** Content with nothing would be content with a misspelt cluster, too. */
function nothingToVerify({ where, backups }: VerifyScope): CephbackupError {
  const why = backups.length === 0 ? '' : ': none of its snapshots is of a claim that exists, and proven';
  return new CephbackupError('SNAPSHOT_NOT_FOUND', `no backup to verify in ${where}${why}`);
}
