import type { Repository } from '../repository.js';
import { backUpByHand, catSnapshot } from './by-hand.js';
import { atMost, median, type Figure } from './figure.js';
import { measure, type Measured } from './stopwatch.js';
import type { Scripted, TestBed } from './test-bed.js';

/** What a run may take for each volume beyond 1.05 times the script's steps. */
export interface Allowed {
  seconds: number;
  /** And once the time of the proof. */
  proof: boolean;
}

export const usual: Allowed = { seconds: 0.3, proof: true };
const factor = 1.05;

/** What a volume cost, in seconds. */
export interface Cost {
  wall: number;
  /** Of all processors, with all that runs on the machine: on a quiet one that is the backup, and Ceph. */
  processor: number;
}

export function costOf({ seconds, processorSeconds }: Measured<unknown>, volumes: number): Cost {
  return { wall: seconds / volumes, processor: processorSeconds / volumes };
}

/** One of each a round. */
export interface Series {
  script: Cost[];
  proof: number[];
}

export const emptySeries = (): Series => ({ script: [], proof: [] });

/** The same volumes by shell script, one after the other; returns the snapshots by volume, and the steps' seconds. */
export async function scriptRound(
  bed: TestBed,
  repository: Repository,
  volumes: readonly Scripted[],
  parents: ReadonlyMap<string, string>,
  series: Series,
): Promise<{ snapshots: Map<string, string>; steps: Map<string, number> }> {
  const snapshots = new Map<string, string>();
  const steps = new Map<string, number>();
  const measured = await measure(async () => {
    for (const volume of volumes) {
      const backup = await backUpByHand(bed, repository, volume, parents.get(volume.name) ?? null);
      snapshots.set(volume.name, backup.snapshot);
      for (const [step, took] of backup.steps) steps.set(step, (steps.get(step) ?? 0) + took);
    }
  });
  series.script.push(costOf(measured, volumes.length));
  const [first = ''] = snapshots.values();
  series.proof.push((await measure(() => catSnapshot(repository, first))).seconds);
  return { snapshots, steps };
}

/** The wall of a run, per volume, against the script's plus, as a rule, one `restic cat snapshot` plus an allowance. */
export function againstScript(
  what: string,
  runs: readonly Cost[],
  { script, proof }: Series,
  allowed: Allowed = usual,
): Figure {
  const [steps, cat] = [walls(script), median(proof)];
  const beyond = [...(allowed.proof ? [cat] : []), allowed.seconds];
  const limit = beyond.reduce((sum, seconds) => sum + seconds, factor * steps);
  const formula = [
    `${factor} × ${steps.toFixed(2)} s`,
    ...beyond.map((seconds) => `${seconds.toFixed(2)} s`),
  ];
  return atMost(what, walls(runs), limit, 's', formula.join(' + '));
}

/** What whole runs are to cost at most, as a multiple of the script, with everything that they do besides. */
export interface Goal {
  wall: number;
  processor: number;
}

export function againstGoal(what: string, runs: readonly Cost[], { script }: Series, goal: Goal): Figure[] {
  const processors = (costs: readonly Cost[]) => median(costs.map(({ processor }) => processor));
  return [
    atMost(`${what}, the whole against the script: wall`, walls(runs) / walls(script), goal.wall, '×'),
    atMost(
      `${what}, the whole against the script: processor`,
      processors(runs) / processors(script),
      goal.processor,
      '×',
    ),
  ];
}

function walls(costs: readonly Cost[]): number {
  return median(costs.map(({ wall }) => wall));
}

/** Interleaved, and in turn the one or the other first: what else the machine does then meets both. */
export async function inTurn(round: number, actions: readonly (() => Promise<void>)[]): Promise<void> {
  for (const action of round % 2 === 0 ? actions : actions.toReversed()) await action();
}
