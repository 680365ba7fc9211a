import { prepare } from '../prepared-image.js';
import { randomBytesOf } from '../workload/random.js';
import { evenly, GiB, KiB, MiB, writeToDisk } from './disk-contents.js';
import { atMost, information, type Bench, type Figure } from './figure.js';
import { backUpPipe, bytesIn, timed } from './pipe.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';
import type { Repository } from '../repository.js';

const object = 4 * MiB;

/** How a disk is listed, and what is stored of what changes. */
export const blockChanges: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    return {
      figures: [
        ...(await changed(bed, quick, tell)),
        ...(await scattered(bed, quick, tell)),
        ...(await huge(bed, quick, tell)),
      ],
      notes: [],
    };
  } finally {
    await bed.stop();
  }
};

type Tell = (text: string) => void;

/** One part in a hundred, in runs of 4 MiB: far from each other, in one piece, and where nothing was before. */
async function changed(bed: TestBed, quick: boolean, tell: Tell): Promise<Figure[]> {
  const [objects, changes] = quick ? [25, 1] : [300, 3];
  const size = 20 * GiB;
  tell(`a disk of ${objects * 4} MiB, of which ${changes * 4} MiB change`);
  const volume = await bed.disk('changed', size);
  const noise = (seed: number) => randomBytesOf(seed, object);
  const places = [...evenly(objects, size, noise)];
  await writeToDisk(bed, volume, places);
  const repositories = { ours: await bed.repository(), bare: await bed.repository() };
  const added = async () => {
    const { report } = await bed.run({ repository: repositories.ours, volumes: [volume] });
    return {
      ours: report.volumes[0]?.bytesAdded ?? Number.NaN,
      bare: await addedByPipe(bed, volume, repositories.bare),
    };
  };
  await added();
  const parts: [string, (index: number) => number][] = [
    ['overwritten, far apart', (index) => places[10 + index * 50]?.offset ?? 0],
    ['overwritten, in one piece', (index) => places[5 + index]?.offset ?? 0],
    ['written where nothing was', (index) => (places[12 + index * 50]?.offset ?? 0) + object],
  ];
  const figures: Figure[] = [];
  for (const [round, [what, offsetOf]] of parts.entries()) {
    const pieces = Array.from({ length: changes }, (_, index) => ({
      offset: offsetOf(index),
      bytes: noise(1000 * (round + 1) + index),
    }));
    await writeToDisk(bed, volume, pieces);
    const { ours, bare } = await added();
    const bytes = changes * object;
    figures.push(
      atMost(`1 % ${what}: bytes added against it`, ours / bytes, 1.3, '×'),
      information('the same by the bare pipe', bare / bytes, '×'),
    );
  }
  return figures;
}

/** How many bytes a repository grows by. */
async function addedByPipe(bed: TestBed, { image }: Volume, repository: Repository): Promise<number> {
  const snapshot = `${image}@bare`;
  await bed.cluster.rbd('snap', 'create', '--no-progress', snapshot);
  const before = await bytesIn(repository);
  const command = ['rbd', 'export-diff', '--no-progress', snapshot, '-'];
  await backUpPipe(repository, command, bed.cluster.env);
  await bed.cluster.rbd('snap', 'rm', '--no-progress', snapshot);
  return (await bytesIn(repository)) - before;
}

/** 4 KiB in each of many objects: whole objects would be a thousand times as much. */
async function scattered(bed: TestBed, quick: boolean, tell: Tell): Promise<Figure[]> {
  const count = quick ? 500 : 5000;
  const size = count * object;
  tell(`4 KiB in each of ${count} objects`);
  const volume = await bed.disk('scattered', size);
  await writeToDisk(
    bed,
    volume,
    evenly(count, size, (index) => randomBytesOf(index, 4 * KiB)),
  );
  const repository = await bed.repository();
  const { seconds, result } = await measure(() => bed.run({ repository, volumes: [volume] }));
  const [backup] = result.report.volumes;
  const written = count * 4 * KiB;
  return [
    // As much again for the tables that find them: one of 4 KiB for each object.
    atMost(
      `4 KiB in ${count} objects: bytes read against them`,
      (backup?.bytesRead ?? 0) / written,
      2.1,
      '×',
    ),
    information(`4 KiB in ${count} objects: the whole run`, seconds, 's'),
    information(`4 KiB in ${count} objects: from snapshot to unwound`, backup?.seconds ?? 0, 's'),
  ];
}

/** What it costs not to believe the object map of a large disk with next to nothing on it. */
async function huge(bed: TestBed, quick: boolean, tell: Tell): Promise<Figure[]> {
  const size = quick ? 16 * GiB : 1024 * GiB;
  tell(`listing ${size / GiB} GiB with little in it`);
  const volume = await bed.disk('huge', size);
  await writeToDisk(
    bed,
    volume,
    evenly(10, size, (index) => randomBytesOf(index, object)),
  );
  const { image } = volume;
  const { cluster } = bed;
  const map = await timed(['rbd', 'diff', '--whole-object', image], cluster.env);
  const osds = await timed(['rbd', 'diff', image], cluster.env);
  const prepared = await measure(() => prepare(cluster, image));
  await prepared.result.scope.release();
  const title = `${size / GiB} GiB, 40 MiB in use`;
  return [
    information(`${title}: the map`, map.wall, 's'),
    information(`${title}: asking the OSDs`, osds.wall, 's'),
    information(`${title}: processor of rbd then`, osds.processor, 's'),
    information(`${title}: snapshot and listing`, prepared.seconds, 's'),
  ];
}
