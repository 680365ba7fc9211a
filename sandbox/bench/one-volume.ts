import {
  againstGoal,
  againstScript,
  costOf,
  emptySeries,
  inTurn,
  scriptRound,
  type Allowed,
  type Cost,
  type Goal,
} from './against-script.js';
import { catSnapshot } from './by-hand.js';
import { atMost, information, type Figure, type Findings } from './figure.js';
import { stepsTable } from './steps.js';
import { measure } from './stopwatch.js';
import type { Scripted, TestBed } from './test-bed.js';
import { timedCommands, timelineTable, totals } from './timeline.js';
import type { Repository } from '../repository.js';

const debug = ['--log-level', 'debug', '--log-format', 'json'];

export interface OneVolume {
  bed: TestBed;
  volume: Scripted;
  rounds: number;
  tell: (text: string) => void;
  allowed: Allowed;
  goals?: { first: Goal; unchanged: Goal };
  /** Surroundings of the last run, whose snapshot is looked at. */
  lastly?: <T>(run: () => Promise<T>) => Promise<T>;
}

const asIs = <T>(run: () => Promise<T>): Promise<T> => run();

/** A volume by the program and by the script, in turn: into an empty repository, then unchanged. */
export async function oneVolume(options: OneVolume): Promise<Findings> {
  const { bed, volume, rounds, tell, allowed, goals, lastly = asIs } = options;
  const volumes = [volume];
  const runs = { first: [] as Cost[], unchanged: [] as Cost[] };
  const script = { first: emptySeries(), unchanged: emptySeries() };
  let steps = new Map<string, number>();
  let repository: Repository | null = null;
  for (let round = 0; round < rounds; round += 1) {
    tell(`round ${round + 1} of ${rounds}: into an empty repository, then unchanged`);
    const [ours, theirs] = [await bed.repository(), await bed.repository()];
    repository = ours;
    let parents: ReadonlyMap<string, string> = new Map();
    for (const phase of ['first', 'unchanged'] as const) {
      await inTurn(round, [
        async () => {
          runs[phase].push(costOf(await measure(() => bed.run({ repository: ours, volumes })), 1));
        },
        async () => {
          const done = await scriptRound(bed, theirs, volumes, parents, script[phase]);
          parents = done.snapshots;
          steps = done.steps;
        },
      ]);
    }
  }
  if (repository === null) throw new Error('no rounds');
  tell('once more, with all commands in the log');
  const last = repository;
  const logged = await lastly(() => measure(() => bed.run({ repository: last, volumes, args: debug })));
  const { report, stderr, began } = logged.result;
  const commands = timedCommands(stderr, began);
  return {
    figures: [
      againstScript('first backup, wall', runs.first, script.first, allowed),
      againstScript('unchanged, wall', runs.unchanged, script.unchanged, allowed),
      ...(goals === undefined
        ? []
        : [
            ...againstGoal('first backup', runs.first, script.first, goals.first),
            ...againstGoal('unchanged', runs.unchanged, script.unchanged, goals.unchanged),
          ]),
      ...(await unchangedFigures(repository, report.volumes[0]?.snapshot ?? '')),
    ],
    notes: [
      `An unchanged run, command by command:\n${timelineTable(commands, logged.seconds)}`,
      `The same steps, seconds:\n${stepsTable(steps, totals(commands), 1)}`,
    ],
  };
}

/** What restic itself wrote into the snapshot of an unchanged volume. */
async function unchangedFigures(repository: Repository, snapshot: string): Promise<Figure[]> {
  const { summary } = await catSnapshot(repository, snapshot);
  return [
    atMost('unchanged, files read', summary.files_new + summary.files_changed, 0, ''),
    atMost('unchanged, data blobs written', summary.data_blobs, 0, ''),
    atMost('unchanged, tree blobs written', summary.tree_blobs, 0, ''),
    information('unchanged, files known', summary.files_unmodified, ''),
  ];
}
