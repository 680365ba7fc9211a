import type { EpochMs } from '../../log/time.js';
import { setMaxListeners } from 'node:events';
import type { RunValues } from './options.js';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { checkClock } from '../../kube/skew.js';
import { attemptOf } from '../../plan/attempt.js';
import { inTurn, turnTaken } from '../../plan/order.js';
import type { Lease } from '../../kube/lease/acquire.js';
import { buildPlan } from '../../plan/plan.js';
import type { Plan, PlannedVolume } from '../../plan/types.js';
import { markedSnapshot } from '../../plan/marks.js';
import { GroupReader } from '../../repository/read-back.js';
import { readRecord } from '../../repository/proofs.js';
import { ProofRecord } from '../../repository/run-record.js';
import { History } from '../../repository/history.js';
import { tagValue } from '../../repository/tags.js';
import { listIds } from '../../tools/restic/ids.js';
import { objectName, objectNumbers } from '../../ownership/names.js';
import type { Leftover } from '../../ownership/scope.js';
import { executeVolumes } from '../../run/run.js';
import type { Restic } from '../../tools/restic/restic.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { cephClients } from '../shared/ceph.js';
import { marksOf } from '../shared/backups.js';
import { refuseAnotherLease } from '../shared/lease-namespace.js';
import { isNarrowed, notNarrowed, policyOf, readCluster, type Cluster } from '../shared/cluster.js';
import type { CommandContext, CommandOutput } from '../../cli/command.js';
import { checkPrograms, drivers, fullEveryOf, sweepers } from '../shared/drivers.js';
import { holdingFor, warnOfHooks } from './holding.js';
import { takeLease } from './lease.js';
import { RunManifests } from './manifests.js';
import { askCluster, askRepository } from './probe.js';
import { reportRun, unusable, type Ended } from './report.js';
import { clusterRecorder } from './recorder.js';
import { volumeTimeoutMs } from '../shared/options/volume-timeout.js';
import type { OpeningRepository } from '../shared/repository.js';
import { Pace } from '../../waiting/pace.js';
import { outageOf } from './outage.js';
import { askForHealth } from './health.js';
import { auditNames, sweepEarlierRuns, uniqueLeftovers } from '../shared/sweeping.js';

interface Start {
  started: EpochMs;
  restic: Restic;
  /** Takes longer to open than the cluster to read and the first steps in Ceph: all of it is done at once. */
  repository: OpeningRepository;
}

/** Backs up every selected volume. */
export async function run(
  context: CommandContext<RunValues>,
  { started, restic, repository }: Start,
): Promise<CommandOutput> {
  const cluster = await readCluster(context);
  const plan = planOf(context, cluster);
  await refuseAnotherLease(context, cluster);
  const lease = await takeLease(context, cluster);
  try {
    const refused = await repository.refused();
    const ended =
      refused === null
        ? await execute(context, { cluster, plan, lease, restic, opened: repository.snapshots })
        : unusable(plan, refused);
    return reportRun(context, started, lease.runId, plan, ended);
  } finally {
    await lease.release();
  }
}

/** @throws CephbackupError NOTHING_SELECTED, TOOL_MISSING, CLOCK_WRONG */
function planOf(context: CommandContext<RunValues>, cluster: Cluster): Plan {
  const plan = buildPlan(
    cluster.inventory,
    policyOf(context.options, context.env),
    new Date(context.clock()),
  );
  // Before anything is touched: all that this run leaves is dated by this clock.
  checkClock(cluster.api.clock(), (text) => plan.warnings.push(text));
  for (const warning of plan.warnings) context.log.warn(warning);
  if (plan.selected === 0 && context.options.allowEmpty !== true) {
    throw new CephbackupError('NOTHING_SELECTED', 'no claim is selected for backup');
  }
  const volumes = plan.volumes.filter(({ backup }) => backup);
  checkPrograms(context, volumes);
  return plan;
}

interface Execution {
  cluster: Cluster;
  plan: Plan;
  lease: Lease;
  restic: Restic;
  /** All snapshots of the repository, once it is open. */
  opened: Promise<ResticSnapshot[]>;
}

/** How long the record of what was proven may take. */
const recordPatienceMs = 60_000;
/** And a list of the repository's locks. */
const locksPatienceMs = 60_000;

async function execute(context: CommandContext<RunValues>, execution: Execution): Promise<Ended> {
  const { options, log, hostname, clock, exec } = context;
  const { cluster, plan, lease, restic, opened } = execution;
  const { api, prefix, installation } = cluster;
  const signal = AbortSignal.any([context.signal, lease.lost]);
  setMaxListeners(0, signal);
  const clientsFor = cephClients(context);
  const volumes = plan.volumes.filter(({ backup }) => backup);
  const sweeping = sweepers(context, clientsFor);
  const names = new Set<string>();
  const numbers = objectNumbers(lease.ordinal);

  const liveRuns = new Set([lease.runId]);
  const sweep = sweepEarlierRuns(sweeping, {
    installation,
    liveRuns,
    volumes: plan.volumes,
    everyClaim: everyClaim(context, cluster),
    // One member is enough for Ceph: of two, each would take what the other is about to remove for something that is in
    // use. A mapping is seen on its own node only.
    nodeOnly: lease.ordinal > 0,
    bases: options.keepBase === true ? 'keep' : 'remove-selected',
    signal,
    log,
  });
  const manifests = new RunManifests(context, {
    ...execution,
    narrowed: isNarrowed(options),
    clientsFor,
    signal,
  });
  const proofs = new ProofRecord(restic, cluster.name, clock);
  const own = opened.then((snapshots) =>
    snapshots.filter(({ tags }) => tagValue(tags, 'cluster') === cluster.name),
  );
  const marks = marksOf(cluster.inventory.persistentVolumes, cluster.name, prefix);
  const record = own.then((snapshots) => readRecord(snapshots, marks));
  const history = Promise.all([own, record]).then(([snapshots, known]) => {
    proofs.adopt(snapshots, known);
    return new History(snapshots);
  });
  history.catch(() => undefined);
  // The first run that keeps a record says so before it saves anything else; later ones need not be waited for.
  const maySave = record.then(async (known) => {
    if (!known.keptAt(clock())) await manifests.end();
  });
  maySave.catch(() => undefined);
  const warning = warnOfHooks(context, cluster, plan);
  const holding = await holdingFor(context, cluster, plan);
  const healthAsked = askForHealth(volumes, clientsFor, { signal, log });
  const result = await executeVolumes({
    volumes,
    inTurn: inTurn(volumes, ({ claim }) => turnTaken(attemptOf(claim, prefix))),
    holding,
    concurrency: options.concurrency ?? 4,
    signal,
    gate: {
      mayBegin: () => lease.healthy(),
      probeCluster: (volume) => askCluster(clientsFor, volume, signal),
      probeRepository: () => askRepository(restic, signal),
      outage: outageOf(options.patience),
      log,
    },
    lastLook: () => auditNames(sweeping, names, volumes, log),
    // Also where the run is being stopped: what was proven is proven. What earlier runs have proven is known with the history.
    keepProofs: async () => {
      await history.catch(() => undefined);
      return proofs.save(AbortSignal.timeout(recordPatienceMs));
    },
    nextName: () => {
      const name = objectName(installation, lease.runId, numbers.next().value);
      names.add(name);
      return name;
    },
    tools: {
      exec,
      restic,
      readBack: new GroupReader(restic),
      history,
      proofs,
      recorder: clusterRecorder({ api, prefix, runId: lease.runId, log, clock, stopping: signal }),
      pace: new Pace(options.snapshotInterval ?? 0),
      driverFor: drivers(context, clientsFor, restic),
      clusterName: cluster.name,
      node: hostname,
      volumeTimeoutMs: volumeTimeoutMs(options),
      onCorrupt: options.onCorrupt ?? 'fail',
      exclude: { caches: options.excludeCaches === true, ifPresent: options.excludeIfPresent },
      temporary: context.env.TMPDIR ?? '/tmp',
      markedSnapshot: ({ claim }) => markedSnapshot(claim, prefix),
      lastAttempt: ({ claim }) => attemptOf(claim, prefix).lastAttempt,
      failedLast: ({ claim }) => attemptOf(claim, prefix).lastError !== null,
      fullEveryMs: fullEveryOf(options),
      clock,
      log,
      progress: context.progress(),
      maySave,
      readKey: (...volume) => manifests.readKey(...volume),
      mayMark: (...volume) => manifests.mayMark(...volume),
    },
  });
  const audited = result.looked;
  const [swept, notOpened, unhooked] = await Promise.all([
    sweep,
    opened.then(() => null, asCephbackupError),
    warning,
    manifests.end(),
  ]);
  const errors = [notOpened, ...result.errors, ...manifests.errors, result.kept].filter(
    (error) => error !== null,
  );
  if (lease.lost.aborted) errors.push(asCephbackupError(lease.lost.reason));
  return {
    volumes: result.volumes,
    errors,
    leftovers: uniqueLeftovers([
      ...result.leftovers,
      ...swept.leftovers,
      ...audited.leftovers,
      ...(await locksLeft(restic, hostname)),
    ]),
    warnings: [...swept.warnings, ...manifests.warnings, ...audited.warnings, ...unhooked, ...healthAsked()],
  };
}

/**
 * As one: with credentials that may delete nothing each restic leaves one, and longer ones leave several. What somebody
 * else has removed meanwhile could not be removed either, and is not left.
 */
async function locksLeft(restic: Restic, node: string): Promise<Leftover[]> {
  const { locksLeft: left } = restic;
  const [reason] = left.values();
  if (reason === undefined) return [];
  const known = await listIds(restic, 'locks', { deadlineMs: locksPatienceMs }).catch(() => null);
  const names = [...left.keys()].filter(
    (id) => known === null || known.some((other) => other.startsWith(id)),
  );
  if (names.length === 0) return [];
  const cure = 'let these credentials delete below locks/, since nobody can prune while locks lie there';
  return [{ kind: 'lock', name: names.join(', '), cluster: null, node, reason: `${reason}: ${cure}` }];
}

/** What the plan would be if nothing narrowed it, `--opt-in` included: others may back up what this run does not. */
function everyClaim(
  { options, env, clock }: CommandContext<RunValues>,
  { inventory }: Cluster,
): PlannedVolume[] {
  const policy = policyOf({ ...options, ...notNarrowed }, env);
  return buildPlan(inventory, policy, new Date(clock())).volumes;
}
