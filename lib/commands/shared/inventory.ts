import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CephbackupError, messageOf } from '../../errors/error.js';
import { connectKube } from '../../kube/client.js';
import { parseDump } from '../../kube/dump/read.js';
import { readInventory } from '../../kube/inventory.js';
import { jobsWithoutPod } from '../../kube/stuck-jobs.js';
import type { Inventory } from '../../kube/types.js';
import type { CommandContext } from '../../cli/command.js';

type InventoryContext = CommandContext<{ kubeconfig: string | null; from?: string | null }>;

/** The claims of a cluster, out of the API or of a dump of it. @throws CephbackupError KUBE_…, INPUT_UNREADABLE */
export async function inventoryOf({
  options,
  env,
  log,
  signal,
  stdin,
}: InventoryContext): Promise<Inventory> {
  const { from } = options;
  if (from !== null && from !== undefined) return parseDump(await readDump(from, stdin));
  return readInventory(await connectKube({ kubeconfig: options.kubeconfig, env, log, signal }), { signal });
}

/** Jobs of the chart that have no pod, a line each; none where a dump is read, or this account may not look. */
export async function stuckJobs({ options, env, log, signal, clock }: InventoryContext): Promise<string[]> {
  if (options.from != null) return [];
  const api = await connectKube({ kubeconfig: options.kubeconfig, env, log, signal });
  return (await jobsWithoutPod(api, clock(), { signal, patienceMs: 5_000 })) ?? [];
}

async function readDump(from: string, stdin: Readable): Promise<string> {
  if (from === '-') return text(stdin);
  try {
    // The asynchronous one keeps a second copy of a large file until the next garbage collection.
    return readFileSync(from, 'utf8');
  } catch (cause) {
    const why = messageOf(cause);
    throw new CephbackupError('INPUT_UNREADABLE', `cannot read ${from}: ${why}`, { cause });
  }
}
