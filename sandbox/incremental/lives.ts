import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import path from 'node:path';
import type { CephCluster } from '../ceph.js';
import { checkout } from '../checkout.js';

/** What a life of an image came to, as `histories.py` prints it. */
export interface Life {
  traits: string[];
  /** Whether the image has an object map. */
  mapped: boolean;
  /** By the way of asking: how many answers were judged, and how many of them missed a change. */
  counts: Record<string, number>;
  missed: Record<string, number>;
  examples: Record<string, string>;
}

export interface Lives {
  /** With a RADOS namespace, if any. */
  pool: string;
  /** Where the data of some of them go. */
  dataPool?: string;
  seed: number;
  steps: number;
  /** After so long no other life begins. */
  seconds: number;
}

/** librbd of Ceph 16 aborts in its own threads now and then: so often it may, before that is a failure. */
const crashes = 3;

/**
 * Lets images live at random, and calls `seen` with what each came to. Where librbd crashes, it goes on with the next seed.
 * @throws Error with the seed and how the program ended
 */
export async function liveImages(
  cluster: CephCluster,
  lives: Lives,
  seen: (life: Life) => void,
): Promise<void> {
  for (let crash = 0; ; crash++) {
    const seed = lives.seed + crash;
    const { code, signal } = await live(cluster, { ...lives, seed }, seen);
    if (code === 0) return;
    const how = `histories.py with seed ${seed} ended with ${signal ?? `exit code ${code}`}`;
    if (signal === null || crash === crashes) throw new Error(how);
    console.error(how);
  }
}

async function live(
  cluster: CephCluster,
  { pool, dataPool, seed, steps, seconds }: Lives,
  seen: (life: Life) => void,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const script = path.join(checkout, 'sandbox/incremental/histories.py');
  const args = [script, cluster.conf, pool, String(seed), String(steps), String(seconds)];
  if (dataPool !== undefined) args.push(dataPool);
  // Debian's own: it has the bindings of this Ceph.
  const child = spawn('/usr/bin/python3', args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...cluster.env },
  });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  for await (const line of createInterface({ input: child.stdout })) seen(JSON.parse(line) as Life);
  const [code, signal] = await ended;
  return { code, signal };
}
