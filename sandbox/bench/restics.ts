import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { proofsHost } from '../../lib/repository/proofs.js';
import { resticProgram, searchPath } from '../tools.js';
import { memoryOf, processorSecondsOf } from './memory.js';

/** What one restic process took. */
export interface ResticCost {
  kind: string;
  /** From its start to its end. */
  seconds: number;
  /** Of processors. */
  processorSeconds: number;
  /** The most memory that was resident, megabytes. */
  peak: number;
}

export interface Watched<T> {
  result: T;
  restics: ResticCost[];
  /** The most that all of them together had resident at one moment, megabytes. */
  peakTogether: number;
}

const intervalMs = 20;

/** A folder for the search path whose `restic` leaves a note of each process, which is then looked at until it ends. */
export class ResticWatch {
  readonly searchPath: string;
  readonly #calls: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#calls = path.join(folder, 'calls');
    writeFileSync(this.#calls, '');
    const shim = path.join(folder, 'restic');
    writeFileSync(shim, `#!/bin/bash\necho "$$ $*" >>'${this.#calls}'\nexec '${resticProgram}' "$@"\n`);
    chmodSync(shim, 0o755);
    this.searchPath = `${folder}:${searchPath()}`;
  }

  async during<T>(work: () => Promise<T>): Promise<Watched<T>> {
    writeFileSync(this.#calls, '');
    const over = new AbortController();
    const looking = this.#look(over.signal);
    try {
      const result = await work();
      over.abort();
      return { result, ...(await looking) };
    } finally {
      over.abort();
      await looking;
    }
  }

  async #look(over: AbortSignal): Promise<Omit<Watched<unknown>, 'result'>> {
    const restics = new Map<number, ResticCost & { began: number }>();
    const ended = new Set<number>();
    let peakTogether = 0;
    while (!over.aborted) {
      const now = performance.now();
      for (const line of readFileSync(this.#calls, 'utf8').split('\n').slice(0, -1)) {
        const [pid = '', ...args] = line.split(' ');
        if (restics.has(Number(pid))) continue;
        restics.set(Number(pid), {
          kind: kindOf(args),
          began: now,
          seconds: 0,
          processorSeconds: 0,
          peak: 0,
        });
      }
      let together = 0;
      for (const [pid, cost] of restics) {
        if (ended.has(pid)) continue;
        const [memory, processorSeconds] = await Promise.all([memoryOf(pid), processorSecondsOf(pid)]);
        if (memory === null) ended.add(pid);
        else {
          cost.peak = memory.peak;
          cost.processorSeconds = processorSeconds ?? cost.processorSeconds;
          together += memory.now;
        }
        cost.seconds = (now - cost.began) / 1000;
      }
      peakTogether = Math.max(peakTogether, together);
      await sleep(intervalMs);
    }
    return { restics: [...restics.values()], peakTogether };
  }
}

/** restic's command, and of a backup what is saved. */
function kindOf(args: readonly string[]): string {
  const [command = ''] = args;
  if (command === 'backup') {
    if (args.includes('--host=k8s-manifests')) return 'backup (manifests)';
    if (args.includes(`--host=${proofsHost}`)) return 'backup (record of proofs)';
  }
  if (command === 'cat') return args.slice(0, 2).join(' ');
  // The proof names snapshots, the list none.
  return command === 'snapshots' && args.includes('--no-cache') ? 'snapshots (proof)' : command;
}
