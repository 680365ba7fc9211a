import type { listOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { listDocument } from '../../plan/document.js';
import { buildPlan } from '../../plan/plan.js';
import { listTable } from './table.js';
import { policyOf } from '../shared/cluster.js';
import type { Command } from '../../cli/command.js';
import { inventoryOf } from '../shared/inventory.js';

export type ListValues = Omit<Values<typeof listOptions>, 'from'> & { from?: string | null };

/** Prints the plan that `run` would execute. Needs the Kubernetes API, or a dump of it, and nothing else. */
export const list: Command<ListValues> = async (context) => {
  const { options, env, log } = context;
  const now = new Date(context.clock());
  const plan = buildPlan(await inventoryOf(context), policyOf(options, env), now);
  for (const warning of plan.warnings) log.warn(warning);
  return { document: listDocument(plan), table: (width) => listTable(plan, now, width), exitCode: 0 };
};
