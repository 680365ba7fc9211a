import type { cleanupOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { CephbackupError } from '../../errors/error.js';
import { readLease } from '../../kube/lease/acquire.js';
import { buildPlan } from '../../plan/plan.js';
import { cleanupTable } from './table.js';
import { installationId } from '../../ownership/names.js';
import type { SweepReport } from '../../volumes/driver.js';
import { cephClients } from '../shared/ceph.js';
import { notNarrowed, policyOf, readCluster, type Cluster } from '../shared/cluster.js';
import type { Command } from '../../cli/command.js';
import { sweepers } from '../shared/drivers.js';
import { ownLease } from '../shared/own-lease.js';

export type CleanupValues = Values<typeof cleanupOptions>;

/** Removes what crashed runs left, looking everywhere. */
export const cleanup: Command<CleanupValues> = async (context) => {
  const { options, log, signal, env } = context;
  const dryRun = options.dryRun === true;
  const cluster = await readCluster(context);
  const installation = options.installation ?? cluster.installation;
  // Every Ceph volume of the cluster, selected or not, tells a place to look at.
  const plan = buildPlan(
    cluster.inventory,
    policyOf({ ...options, ...notNarrowed }, env),
    new Date(context.clock()),
  );
  if (installation !== cluster.installation) await refuseIfLive(cluster, installation);
  const lease = dryRun ? null : await ownLease(context, cluster);
  try {
    const request = {
      installation,
      liveRuns: await liveRuns(cluster, dryRun),
      volumes: plan.volumes,
      thorough: true,
      dryRun,
      signal: lease === null ? signal : AbortSignal.any([signal, lease.lost]),
      log,
    };
    const found = await Promise.all(
      sweepers(context, cephClients(context)).map((sweeper) => sweeper.sweep(request)),
    );
    signal.throwIfAborted();
    return output(installation, dryRun, found);
  } finally {
    await lease?.release();
  }
};

/** Without the lease (a dry run), the run that holds it must not be taken for a dead one. */
async function liveRuns(cluster: Cluster, dryRun: boolean): Promise<Set<string>> {
  const held = dryRun ? await readLease(cluster.api, cluster.leaseNamespace) : null;
  return new Set(held?.runId === null || held?.runId === undefined ? [] : [held.runId]);
}

/** Another installation of this cluster has its lease in another namespace; while it is held, its objects are in use. */
async function refuseIfLive(cluster: Cluster, installation: string): Promise<void> {
  for (const { metadata } of cluster.inventory.namespaces) {
    const namespace = metadata?.name ?? '';
    if (installationId(cluster.uid, namespace, cluster.prefix) !== installation) continue;
    const lease = await readLease(cluster.api, namespace);
    if (lease?.holder == null) return;
    throw new CephbackupError(
      'RUN_IN_PROGRESS',
      `installation ${installation} has a run in progress: the lease in namespace ${namespace} is held by ${lease.holder}`,
    );
  }
}

function output(installation: string, dryRun: boolean, found: SweepReport[]) {
  const report = {
    installation,
    dryRun,
    removed: found.flatMap(({ removed }) => removed),
    leftovers: found.flatMap(({ leftovers }) => leftovers),
    foreign: found.flatMap(({ foreign }) => foreign),
    warnings: found.flatMap(({ problems }) => problems),
  };
  const incomplete = report.leftovers.length > 0 || report.warnings.length > 0;
  return { document: report, table: cleanupTable(report), exitCode: incomplete ? 5 : 0 };
}
