import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { listOptions, Values } from '../cli/options.js';
import { CephbackupError } from '../errors/error.js';
import { connectKube } from '../kube/client.js';
import { parseDump } from '../kube/dump.js';
import { readInventory } from '../kube/inventory.js';
import type { Inventory } from '../kube/types.js';
import { listDocument } from '../plan/document.js';
import { buildPlan } from '../plan/plan.js';
import { listTable } from '../report/list-table.js';
import { policyOf } from './cluster.js';
import type { Command, CommandContext } from './context.js';

export type ListValues = Omit<Values<typeof listOptions>, 'from'> & { from?: string | null };

/** Prints the plan that `run` would execute. Needs the Kubernetes API, or a dump of it, and nothing else. */
export const list: Command<ListValues> = async (context) => {
  const { options, env, log } = context;
  const now = new Date(context.clock());
  const plan = buildPlan(await inventoryOf(context), policyOf(options, env), now);
  for (const warning of plan.warnings) log.warn(warning);
  return { document: listDocument(plan), table: listTable(plan, now), exitCode: 0 };
};

async function inventoryOf({
  options,
  env,
  log,
  signal,
  stdin,
}: CommandContext<ListValues>): Promise<Inventory> {
  const { from } = options;
  if (from !== null && from !== undefined) return parseDump(await readDump(from, stdin));
  return readInventory(await connectKube({ kubeconfig: options.kubeconfig, env, log, signal }), { signal });
}

async function readDump(from: string, stdin: Readable): Promise<string> {
  if (from === '-') return text(stdin);
  try {
    // The asynchronous one keeps a second copy of a large file until the next garbage collection.
    return readFileSync(from, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CephbackupError('INPUT_UNREADABLE', `cannot read ${from}: ${why}`, { cause });
  }
}
