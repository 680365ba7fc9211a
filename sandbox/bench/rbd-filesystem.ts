import { mountImage } from '../ceph.js';
import { againstScript, emptySeries, inTurn, scriptRound } from './against-script.js';
import { catSnapshot } from './by-hand.js';
import { writeContents } from './contents.js';
import { atMost, information, type Bench, type Figure } from './figure.js';
import { stepsTable } from './steps.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';
import { timedCommands, timelineTable, totals } from './timeline.js';
import type { Repository } from '../repository.js';

const MiB = 1024 ** 2;
const debug = ['--log-level', 'debug', '--log-format', 'json'];

/** A volume of many small files and a few large ones: what the program costs beyond the steps themselves. */
export const rbdFilesystem: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const smallFiles = quick ? 500 : 20_000;
    tell(`a volume of ${smallFiles} small files and 3 large ones`);
    const largeFiles = Array<number>(3).fill((quick ? 2 : 32) * MiB);
    const volume = await bed.volume('files', 1024 * MiB, (root) => {
      writeContents(root, { seed: 1, smallFiles, largeFiles });
    });
    return await compare(bed, volume, quick ? 1 : 5, tell);
  } finally {
    await bed.stop();
  }
};

async function compare(bed: TestBed, volume: Volume, rounds: number, tell: (text: string) => void) {
  const volumes = [volume];
  const runs = { first: [] as number[], unchanged: [] as number[] };
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
          runs[phase].push((await measure(() => bed.run({ repository: ours, volumes }))).seconds);
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
  const logged = await onAnotherDevice(bed, () =>
    measure(() => bed.run({ repository: last, volumes, args: debug })),
  );
  const { report, stderr, began } = logged.result;
  const commands = timedCommands(stderr, began);
  return {
    figures: [
      againstScript('first backup, wall', runs.first, script.first),
      againstScript('unchanged, wall', runs.unchanged, script.unchanged),
      ...(await unchangedFigures(repository, report.volumes[0]?.snapshot ?? '')),
    ],
    notes: [
      `An unchanged run, command by command:\n${timelineTable(commands, logged.seconds)}`,
      `The same steps, seconds:\n${stepsTable(steps, totals(commands), 1)}`,
    ],
  };
}

/** While another volume has the loop device that all runs before had, the next run gets one with another number. */
async function onAnotherDevice<T>(bed: TestBed, action: () => Promise<T>): Promise<T> {
  const other = await bed.volume('in-the-way', 16 * MiB, () => undefined);
  const mounted = await mountImage(bed.cluster, other.image, 'ext4');
  try {
    return await action();
  } finally {
    await mounted.unmount();
  }
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
