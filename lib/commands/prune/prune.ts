import type { pruneOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { checkClock } from '../../kube/skew.js';
import { pruneMetrics } from '../../metrics/prune.js';
import { pruneTable } from './table.js';
import type { PruneReport } from '../../retention/report.js';
import { rfc3339 } from '../../log/time.js';
import { Steps } from '../../log/progress/steps.js';
import { allDecisions, forgottenIds, type Decisions, type RetentionPlan } from '../../retention/plan.js';
import { markedIds } from '../../plan/marks.js';
import { exitCode } from '../../errors/exit-code.js';
import { tagValue } from '../../repository/tags.js';
import type { Restic } from '../../tools/restic/restic.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import {
  estimatePrune,
  forgetSnapshots,
  pruneRepository,
  type PruneStatistics,
} from '../../tools/restic/prune.js';
import { unlockStale } from '../../tools/restic/unlock.js';
import { readCluster, type Cluster } from '../shared/cluster.js';
import type { Command, CommandContext } from '../../cli/command.js';
import { requireRestic, resticOf } from '../shared/repository.js';
import { planPrune } from './rules.js';

type PruneValues = Values<typeof pruneOptions>;

/** Forgets what no rule keeps, claim by claim, then lets restic free the space. */
export const prune: Command<PruneValues> = async (context) => {
  const { options, log, signal } = context;
  const restic = resticOf(context);
  const { plan, cluster, snapshots } = await readPlan(context, restic);
  refuseNothing(plan, cluster.name, snapshots);
  const ids = forgottenIds(plan);
  const dryRun = options.dryRun === true;
  const done = dryRun
    ? {
        ...nothingDone,
        left: snapshots.length - ids.length,
        space: await estimate(restic, ids, options, signal),
      }
    : await carryOut(context, restic, plan);
  for (const warning of done.warnings) log.warn(warning);
  const report: PruneReport = {
    cluster: cluster.name,
    dryRun,
    claims: plan.claims.map((claim) => ({ ...claim, ...items(claim) })),
    manifests: items(plan.manifests),
    proofs: items(plan.proofs),
    others: plan.others,
    forgotten: done.forgotten,
    repository: {
      snapshots: done.left,
      bytesFreed: done.space.freed,
      bytesRemaining: done.space.remaining,
    },
    warnings: done.warnings,
    ...(done.error === null ? {} : { error: done.error.report() }),
  };
  const code = exitCode(context.endedBy(), done.error === null ? [] : [done.error], []);
  const metrics = pruneMetrics(report, context.clock());
  return {
    document: report,
    table: (width) => pruneTable(report, width),
    exitCode: code,
    ...(metrics === undefined ? {} : { metrics }),
  };
};

/**
 * Content with nothing would be content with a misspelt cluster, too.
 * @throws CephbackupError SNAPSHOT_NOT_FOUND
 */
function refuseNothing(plan: RetentionPlan, name: string, snapshots: readonly ResticSnapshot[]): void {
  if (allDecisions(plan).some(({ keep, forget }) => keep.length + forget.length > 0)) return;
  const present = new Set(snapshots.flatMap(({ tags }) => tagValue(tags, 'cluster') ?? []));
  const names = [...present].toSorted().map((one) => JSON.stringify(one));
  const others = names.length === 0 ? '' : `, but of --cluster-name ${names.join(' or ')}`;
  throw new CephbackupError(
    'SNAPSHOT_NOT_FOUND',
    `nothing in the repository is of cluster ${JSON.stringify(name)}${others}: nothing was pruned`,
  );
}

interface Planned {
  plan: RetentionPlan;
  cluster: Cluster;
  snapshots: ResticSnapshot[];
}

/** @throws CephbackupError KUBECONFIG_INVALID, KUBE_…, REPOSITORY_…, RESTIC_TOO_OLD, CLOCK_WRONG, SNAPSHOT_UNREADABLE */
async function readPlan(context: CommandContext<PruneValues>, restic: Restic): Promise<Planned> {
  const { options, signal, clock } = context;
  // Snapshots first: a claim that is created in between must not pass for one that exists no more.
  const snapshots = await readSnapshots(restic, signal);
  const cluster = await readLivingCluster(context);
  checkClock(cluster.api.clock(), (text) => {
    context.log.warn(text);
  });
  const living = new Set(
    cluster.inventory.persistentVolumeClaims.flatMap(({ metadata }) => metadata?.uid ?? []),
  );
  const marked = markedIds(cluster.inventory.persistentVolumes, cluster.prefix);
  const plan = planPrune(options, { snapshots, cluster: cluster.name, marked, living }, clock());
  return { plan, cluster, snapshots };
}

async function readSnapshots(restic: Restic, signal: AbortSignal): Promise<ResticSnapshot[]> {
  const [{ snapshots, unreadable }] = await Promise.all([
    // Without a lock, as everything that is only read here: how long others are waited for is decided where it matters.
    restic.survey({ signal, noLock: true }),
    requireRestic(restic, signal),
  ]);
  const [first] = unreadable;
  if (first === undefined) return snapshots;
  // What it needs is not known, so that its data would go.
  throw new CephbackupError(
    'SNAPSHOT_UNREADABLE',
    `${unreadable.length} snapshots cannot be read, e.g. ${first}`,
  );
}

async function readLivingCluster(context: CommandContext<PruneValues>): Promise<Cluster> {
  try {
    return await readCluster(context);
  } catch (thrown) {
    const error = asCephbackupError(thrown);
    if (error.code !== 'KUBECONFIG_INVALID') throw error;
    const message = `which claims still exist is not known without the Kubernetes API: ${error.message}`;
    throw new CephbackupError('KUBECONFIG_INVALID', message, { cause: error });
  }
}

interface Done {
  forgotten: number;
  /** Snapshots in the repository afterwards. */
  left: number | null;
  space: PruneStatistics;
  warnings: string[];
  error: CephbackupError | null;
}

const nothingDone: Done = {
  forgotten: 0,
  left: null,
  space: { freed: null, remaining: null },
  warnings: [],
  error: null,
};

function pruningOf({ maxUnused, maxRepackSize, repackSmall }: PruneValues) {
  return { maxUnused, maxRepackBytes: maxRepackSize, repackSmall: repackSmall === true };
}

function estimate(restic: Restic, ids: readonly string[], options: PruneValues, signal: AbortSignal) {
  return estimatePrune(restic, ids, pruningOf(options), { signal });
}

/** Never throws: what was planned is reported also where it failed in the middle. The next prune completes it. */
async function carryOut(
  { options, log, signal, hostname, clock, progress }: CommandContext<PruneValues>,
  restic: Restic,
  plan: RetentionPlan,
): Promise<Done> {
  const ids = forgottenIds(plan);
  const steps = new Steps(log, progress().begin(''));
  const done = { ...nothingDone };
  try {
    if (options.unlockStale === true) {
      const told = await unlockStale(restic, { host: hostname, now: clock() }, { signal });
      if (told !== null) log.warn(told);
    }
    if (ids.length > 0) {
      steps.step(`forgetting ${ids.length} snapshots`);
      await forgetSnapshots(restic, ids, { signal });
      done.forgotten = ids.length;
    }
    steps.step('pruning');
    // Always: an earlier prune may have ended between forgetting and freeing.
    const onPhase = (text: string) => {
      steps.step(text);
    };
    done.space = await pruneRepository(restic, pruningOf(options), { signal, onPhase });
    const left = new Set((await restic.survey({ signal, noLock: true })).snapshots.map(({ id }) => id));
    done.left = left.size;
    done.warnings = missing(plan, left);
    const stayed = ids.filter((id) => left.has(id));
    done.forgotten -= stayed.length;
    if (stayed.length > 0) {
      const message = `${stayed.length} snapshots are still there although restic forgot them, e.g. ${stayed[0] ?? ''}`;
      throw new CephbackupError('RESTIC_FAILED', message);
    }
  } catch (thrown) {
    done.error = asCephbackupError(signal.aborted ? signal.reason : thrown);
    log.error(done.error.message, { code: done.error.code, guidance: done.error.guidance });
  } finally {
    steps.close();
  }
  return done;
}

/** What was to be kept and is gone all the same. */
function missing(plan: RetentionPlan, left: ReadonlySet<string>): string[] {
  return allDecisions(plan)
    .flatMap(({ keep }) => keep)
    .filter(({ id }) => !left.has(id))
    .map(({ id }) => `somebody else has removed snapshot ${id} meanwhile`);
}

function items({ keep, forget }: Decisions): Pick<PruneReport['manifests'], 'keep' | 'forget'> {
  const item = ({ id, time, reasons }: Decisions['keep'][number]) => ({ id, time: rfc3339(time), reasons });
  return { keep: keep.map(item), forget: forget.map(item) };
}
