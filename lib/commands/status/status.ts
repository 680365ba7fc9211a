import type { statusOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { clusterIdOf } from '../../kube/inventory.js';
import type { Inventory } from '../../kube/types.js';
import { buildPlan } from '../../plan/plan.js';
import { statusOf } from '../../plan/status.js';
import { crossCheck } from '../../repository/cross-check.js';
import { statusTable } from './table.js';
import { defaultPrefix, policyOf } from '../shared/cluster.js';
import type { Command, CommandContext } from '../../cli/command.js';
import { inventoryOf } from '../shared/inventory.js';
import { surveyRepository } from '../shared/repository.js';

type StatusValues = Values<typeof statusOptions>;

/** Tells how old the last backup of each claim is, by the annotations on PersistentVolumes. */
export const status: Command<StatusValues> = async (context) => {
  const { options, log } = context;
  const now = new Date(context.clock());
  const prefix = options.annotationPrefix ?? defaultPrefix;
  const inventory = await inventoryOf(context);
  // After the marks, so that one made meanwhile is not taken for one without a snapshot.
  const survey = options.repository === true ? await surveyRepository(context) : null;
  // Whose turn it is in one run is no concern of a status.
  const policy = policyOf({ ...options, minAge: null, shard: null }, {});
  const plan = buildPlan(inventory, policy, now);
  const stored =
    survey === null ? null : crossCheck(survey.snapshots, clusterName(context, inventory), prefix);
  const report = statusOf(plan, { prefix, now, maxAge: options.maxAge, stored });
  for (const id of survey?.unreadable ?? [])
    report.warnings.push(`the file of snapshot ${id} cannot be read: run verify`);
  for (const warning of report.warnings) log.warn(warning);
  const { stale, never, missing } = report.totals;
  const overdue = options.maxAge === null ? 0 : stale + never;
  return {
    document: report,
    table: statusTable(report, now),
    exitCode: overdue + missing > 0 ? 1 : 0,
  };
};

function clusterName({ options }: CommandContext<StatusValues>, { namespaces }: Inventory): string {
  return options.clusterName ?? clusterIdOf(namespaces);
}
