import type { CommandContext } from '../../cli/command.js';
import type { Values } from '../../cli/options.js';
import { clusterIdOf } from '../../kube/inventory.js';
import type { Inventory } from '../../kube/types.js';
import { buildPlan } from '../../plan/plan.js';
import { statusOf, type StatusReport } from '../../plan/status.js';
import { crossCheck } from '../../repository/cross-check.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import type { statusOptions } from '../status/options.js';
import { defaultPrefix, policyOf } from './cluster.js';
import { inventoryOf, stuckJobs } from './inventory.js';
import { marksOf } from './backups.js';
import { surveyRepository } from './repository.js';

/** How the claims are, and what that was told from. */
export interface StatusSurvey {
  status: StatusReport;
  now: Date;
  prefix: string;
  inventory: Inventory;
  /** The tag `cluster=` of its backups; null where a dump does not tell it, and the repository was not asked. */
  cluster: string | null;
  /** Null where the repository was not asked. */
  survey: { snapshots: ResticSnapshot[]; unreadable: string[] } | null;
}

/** @throws CephbackupError KUBE_…, INPUT_UNREADABLE, REPOSITORY_… */
export async function surveyStatus(
  context: CommandContext<Values<typeof statusOptions>>,
  maxAgeMs: number | null,
): Promise<StatusSurvey> {
  const { options } = context;
  const now = new Date(context.clock());
  const prefix = options.annotationPrefix ?? defaultPrefix;
  const inventory = await inventoryOf(context);
  const stuck = await stuckJobs(context);
  // After the marks, so that one made meanwhile is not taken for one without a snapshot.
  const survey = options.repository === true ? await surveyRepository(context) : null;
  // Whose turn it is in one run is no concern of a status.
  const policy = policyOf({ ...options, minAge: null, shard: null }, {});
  const plan = buildPlan(inventory, policy, now);
  const cluster = clusterOf(options.clusterName, inventory, survey !== null);
  const marks = marksOf(inventory.persistentVolumes, cluster ?? '', prefix);
  const stored = survey === null ? null : crossCheck(survey.snapshots, marks, prefix);
  const status = statusOf(plan, { prefix, now, maxAgeMs, stored });
  for (const id of survey?.unreadable ?? [])
    status.warnings.push(`the file of snapshot ${id} cannot be read: run verify`);
  status.warnings.push(...stuck);
  return { status, now, prefix, inventory, cluster, survey };
}

/** @throws CephbackupError where it is needed and not known */
function clusterOf(named: string | null, { namespaces }: Inventory, needed: boolean): string | null {
  if (named !== null) return named;
  if (needed) return clusterIdOf(namespaces);
  return namespaces.find(({ metadata }) => metadata?.name === 'kube-system')?.metadata?.uid ?? null;
}
