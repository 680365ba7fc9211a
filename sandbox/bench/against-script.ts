import type { Repository } from '../repository.js';
import { backUpByHand, catSnapshot } from './by-hand.js';
import { atMost, median, type Figure } from './figure.js';
import { measure } from './stopwatch.js';
import type { TestBed, Volume } from './test-bed.js';

/** Seconds beyond the script's steps and the proof that a run may take for each volume. */
const allowance = 0.3;
const factor = 1.05;

/** Seconds a volume, one number a round. */
export interface Series {
  script: number[];
  proof: number[];
}

export const emptySeries = (): Series => ({ script: [], proof: [] });

/** The same volumes by shell script, one after the other; returns the snapshots by volume, and the steps' seconds. */
export async function scriptRound(
  bed: TestBed,
  repository: Repository,
  volumes: readonly Volume[],
  parents: ReadonlyMap<string, string>,
  series: Series,
): Promise<{ snapshots: Map<string, string>; steps: Map<string, number> }> {
  const snapshots = new Map<string, string>();
  const steps = new Map<string, number>();
  const { seconds } = await measure(async () => {
    for (const volume of volumes) {
      const backup = await backUpByHand(bed, repository, volume, parents.get(volume.name) ?? null);
      snapshots.set(volume.name, backup.snapshot);
      for (const [step, took] of backup.steps) steps.set(step, (steps.get(step) ?? 0) + took);
    }
  });
  series.script.push(seconds / volumes.length);
  const [first = ''] = snapshots.values();
  series.proof.push((await measure(() => catSnapshot(repository, first))).seconds);
  return { snapshots, steps };
}

/** The wall of a run, per volume, against the script's plus one `restic cat snapshot` plus the allowance. */
export function againstScript(what: string, runs: readonly number[], { script, proof }: Series): Figure {
  const [steps, cat] = [median(script), median(proof)];
  const formula = `${factor} × ${steps.toFixed(2)} s + ${cat.toFixed(2)} s + ${allowance} s`;
  return atMost(what, median(runs), factor * steps + cat + allowance, 's', formula);
}

/** Interleaved, and in turn the one or the other first: what else the machine does then meets both. */
export async function inTurn(round: number, actions: readonly (() => Promise<void>)[]): Promise<void> {
  for (const action of round % 2 === 0 ? actions : actions.toReversed()) await action();
}
