import { spawn } from 'node:child_process';
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

/** Lets images live at random, and calls `seen` with what each came to. */
export async function liveImages(
  cluster: CephCluster,
  { pool, dataPool, seed, steps, seconds }: Lives,
  seen: (life: Life) => void,
): Promise<void> {
  const script = path.join(checkout, 'sandbox/incremental/histories.py');
  const args = [script, cluster.conf, pool, String(seed), String(steps), String(seconds)];
  if (dataPool !== undefined) args.push(dataPool);
  // Debian's own: it has the bindings of this Ceph.
  const child = spawn('/usr/bin/python3', args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...cluster.env },
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) seen(JSON.parse(line) as Life);
  const code = await ended;
  if (code !== 0) throw new Error(`histories.py ended with exit code ${code}`);
}
