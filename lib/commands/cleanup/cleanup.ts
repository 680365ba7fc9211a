import type { cleanupOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { CephbackupError } from '../../errors/error.js';
import { readLease } from '../../kube/lease/acquire.js';
import { ownNameIn } from '../../ownership/names.js';
import { buildPlan } from '../../plan/plan.js';
import { cleanupTable } from './table.js';
import { leaseNamespaceOf } from './installation.js';
import type { SweepReport, SweepRequest } from '../../volumes/driver.js';
import { cephClients } from '../shared/ceph.js';
import { notNarrowed, policyOf, readCluster, type Cluster } from '../shared/cluster.js';
import type { Command } from '../../cli/command.js';
import { sweepers } from '../shared/drivers.js';
import { auditNames, type Swept } from '../shared/sweeping.js';
import { leaseElsewhere } from '../shared/lease-namespace.js';
import { ownLease } from '../shared/own-lease.js';

export type CleanupValues = Values<typeof cleanupOptions>;

/** Removes what crashed runs left, looking everywhere. */
export const cleanup: Command<CleanupValues> = async (context) => {
  const { options, log, signal, env } = context;
  const dryRun = options.dryRun === true;
  const cluster = await readCluster(context);
  const installation = options.installation ?? cluster.installation;
  if (options.installation === null) {
    const elsewhere = await leaseElsewhere(context, cluster);
    if (elsewhere !== null && !dryRun) throw elsewhere;
    if (elsewhere !== null) log.warn(elsewhere.message, { guidance: elsewhere.guidance });
  }
  // Every Ceph volume of the cluster, selected or not, tells a place to look at.
  const plan = buildPlan(
    cluster.inventory,
    policyOf({ ...options, ...notNarrowed }, env),
    new Date(context.clock()),
  );
  const theirs = clusterOf(cluster, installation, dryRun || options.force === true);
  // A crashed run's lease is taken over once nobody has renewed it for a minute.
  const lease = dryRun || theirs === null ? null : await ownLease(context, theirs);
  try {
    const request: SweepRequest = {
      installation,
      liveRuns: await liveRuns(theirs, dryRun),
      volumes: plan.volumes,
      everyClaim: plan.volumes,
      thorough: true,
      nodeOnly: false,
      dryRun,
      bases: options.bases === true ? 'remove-all' : 'keep',
      signal: lease === null ? signal : AbortSignal.any([signal, lease.lost]),
      log,
    };
    const all = sweepers(context, cephClients(context));
    const found = await Promise.all(all.map((sweeper) => sweeper.sweep(request)));
    signal.throwIfAborted();
    for (const problem of found.flatMap(({ problems }) => problems)) log.warn(problem);
    const gone = dryRun ? [] : found.flatMap(({ removed }) => removed);
    const names = new Set(gone.flatMap(({ name }) => ownNameIn(name) ?? []));
    const audited = await auditNames(all, names, plan.volumes, log, request.signal);
    return output(installation, dryRun, found, audited);
  } finally {
    await lease?.release();
  }
};

/** Without the lease (a dry run), the run that holds it must not be taken for a dead one. */
async function liveRuns(cluster: Cluster | null, dryRun: boolean): Promise<Set<string>> {
  const held = dryRun && cluster !== null ? await readLease(cluster.api, cluster.leaseNamespace) : null;
  return new Set(held?.runId === null || held?.runId === undefined ? [] : [held.runId]);
}

/**
 * This cluster as the other installation sees it, whose lease guards what it uses.
 * @throws CephbackupError USAGE where its lease is not found, and `--force` does not say that nobody needs it
 */
function clusterOf(cluster: Cluster, installation: string, force: boolean): Cluster | null {
  if (installation === cluster.installation) return cluster;
  const leaseNamespace = leaseNamespaceOf(installation, cluster);
  if (leaseNamespace !== null) return { ...cluster, leaseNamespace };
  if (force) return null;
  throw new CephbackupError(
    'USAGE',
    `installation ${installation} has its lease in no namespace of this cluster: whether it has a run in progress is not known`,
    {
      guidance:
        'If its namespace or its cluster is gone for good, remove what it left with --force. If it is of another cluster that uses the same pools, run cleanup there.',
    },
  );
}

function output(installation: string, dryRun: boolean, found: SweepReport[], audited: Swept) {
  const stayed = new Set(audited.leftovers.map(({ kind, name }) => `${kind} ${ownNameIn(name) ?? ''}`));
  const report = {
    installation,
    dryRun,
    removed: found
      .flatMap(({ removed }) => removed)
      .filter(({ kind, name }) => !stayed.has(`${kind} ${ownNameIn(name) ?? ''}`)),
    leftovers: [...found.flatMap(({ leftovers }) => leftovers), ...audited.leftovers],
    foreign: found.flatMap(({ foreign }) => foreign),
    warnings: [...found.flatMap(({ problems }) => problems), ...audited.warnings],
  };
  const incomplete = report.leftovers.length > 0 || report.warnings.length > 0;
  return { document: report, table: cleanupTable(report), exitCode: incomplete ? 5 : 0 };
}
