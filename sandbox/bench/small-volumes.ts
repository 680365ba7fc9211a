import {
  againstGoal,
  againstScript,
  costOf,
  emptySeries,
  inTurn,
  scriptRound,
  type Cost,
} from './against-script.js';
import { writeContents } from './contents.js';
import type { Bench } from './figure.js';
import { stepsTable } from './steps.js';
import { measure } from './stopwatch.js';
import { TestBed, type Scripted, type Volume } from './test-bed.js';
import { processesTable, timedCommands, totals, type TimedCommand } from './timeline.js';

const MiB = 1024 ** 2;

/** Volumes of 10 MB with 50 files of different contents. */
export async function smallVolumes(bed: TestBed, count: number): Promise<(Volume & Scripted)[]> {
  const volumes: (Volume & Scripted)[] = [];
  for (let index = 0; index < count; index += 1) {
    const contents = { seed: index + 1, smallFiles: 50, largeFiles: [4 * MiB] };
    const fill = (root: string) => {
      writeContents(root, contents);
    };
    volumes.push(await bed.volume(`small-${index}`, 10 * MiB, fill));
  }
  return volumes;
}

/** What a volume costs however small it is. */
export const fixedCost: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const count = quick ? 3 : 10;
    tell(`${count} volumes of 10 MB`);
    return await compare(bed, await smallVolumes(bed, count), quick ? 1 : 3, tell);
  } finally {
    await bed.stop();
  }
};

async function compare(
  bed: TestBed,
  volumes: readonly Scripted[],
  rounds: number,
  tell: (text: string) => void,
) {
  const modes = [
    { name: 'four at a time (the default)', args: [], goal: { wall: 0.45, processor: 1.8 } },
    { name: 'one at a time', args: ['--concurrency', '1'], goal: { wall: 1.08, processor: 1.8 } },
  ].map((mode) => ({ ...mode, first: [] as Cost[], unchanged: [] as Cost[] }));
  const script = { first: emptySeries(), unchanged: emptySeries() };
  let steps = new Map<string, number>();
  let commands: readonly TimedCommand[] = [];
  for (let round = 0; round < rounds; round += 1) {
    tell(`round ${round + 1} of ${rounds}`);
    const theirs = await bed.repository();
    const ours = await Promise.all(modes.map(() => bed.repository()));
    let parents: ReadonlyMap<string, string> = new Map();
    for (const phase of ['first', 'unchanged'] as const) {
      await inTurn(round, [
        ...modes.map(({ args, [phase]: series }, index) => async () => {
          const repository = ours[index] ?? theirs;
          const logged = [...args, '--log-level', 'debug', '--log-format', 'json'];
          const done = await measure(() => bed.run({ repository, volumes, args: logged }));
          series.push(costOf(done, volumes.length));
          // One at a time the commands do not wait for each other.
          if (args.length > 0) commands = timedCommands(done.result.stderr, done.result.began);
        }),
        async () => {
          const done = await scriptRound(bed, theirs, volumes, parents, script[phase]);
          parents = done.snapshots;
          steps = done.steps;
        },
      ]);
    }
  }
  return {
    figures: modes.flatMap(({ name, first, unchanged, goal }) => [
      againstScript(`a volume, first backup, ${name}`, first, script.first),
      againstScript(`a volume, unchanged, ${name}`, unchanged, script.unchanged),
      ...againstGoal(`a volume, first backup, ${name}`, first, script.first, goal),
      ...againstGoal(`a volume, unchanged, ${name}`, unchanged, script.unchanged, goal),
    ]),
    notes: [
      `Seconds a volume of each step, unchanged:\n${stepsTable(steps, totals(commands), volumes.length)}`,
      `Processes a volume, unchanged, one at a time:\n${processesTable(commands, volumes.length)}`,
    ],
  };
}
