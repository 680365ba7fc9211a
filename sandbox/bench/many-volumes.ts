import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../process.js';
import { writeContents } from './contents.js';
import { atMost, information, type Bench, type Figure } from './figure.js';
import { watch } from './memory.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';

const MiB = 1024 ** 2;
const growth = 1.1;

interface RunCost {
  /** Of a volume, seconds: wall, and of the whole machine's processors. */
  wall: number;
  processor: number;
  /** Of the program, megabytes. */
  peak: number;
}

/** Whether a run of many small volumes costs as much a volume as one of few: 50 and 500; `VOLUMES=20,100` before it asks for others. */
export const manyVolumes: Bench = async ({ folder, quick, tell }) => {
  const asked = process.env.VOLUMES?.split(',').map(Number) ?? [50, 500];
  const [few = 0, many = 0] = quick ? [2, 4] : asked;
  const bed = await TestBed.start(folder);
  try {
    tell(`making ${many} volumes`);
    const volumes = await equalVolumes(bed, many);
    const costs: Record<'new' | 'unchanged', RunCost[]> = { new: [], unchanged: [] };
    for (const count of [few, many]) {
      const repository = await bed.repository();
      for (const phase of ['new', 'unchanged'] as const) {
        tell(`a run of ${count} volumes, ${phase}`);
        costs[phase].push(await oneRun(bed, repository, volumes.slice(0, count)));
      }
    }
    return {
      figures: Object.entries(costs).flatMap(([phase, both]) => compared(phase, [few, many], both)),
      notes: [],
    };
  } finally {
    await bed.stop();
  }
};

/** Copies of one small filesystem: what differs in a volume is told by other benchmarks. */
async function equalVolumes(bed: TestBed, count: number): Promise<Volume[]> {
  const file = path.join(bed.folder, 'filesystem.img');
  const contents = path.join(bed.folder, 'contents');
  await run('mkdir', [contents]);
  writeContents(contents, { seed: 1, smallFiles: 20, largeFiles: [] });
  await writeFile(file, '');
  await run('truncate', ['--size', String(10 * MiB), file]);
  await run('mkfs.ext4', ['-q', '-F', '-d', contents, file]);
  const volumes: Volume[] = [];
  for (let index = 0; index < count; index += 1) volumes.push(await bed.imported(`many-${index}`, file));
  return volumes;
}

async function oneRun(
  bed: TestBed,
  repository: Awaited<ReturnType<TestBed['repository']>>,
  volumes: readonly Volume[],
): Promise<RunCost> {
  let peak = 0;
  const { seconds, processorSeconds } = await measure(async () => {
    const running = bed.start({ repository, volumes });
    const { code, stderr } = await watch(running, 50, (memory) => {
      peak = Math.max(peak, memory.peak);
    });
    if (code !== 0) throw new Error(`cephbackup run: ${String(code)}\n${stderr.slice(-3000)}`);
  });
  return { wall: seconds / volumes.length, processor: processorSeconds / volumes.length, peak };
}

function compared(
  phase: string,
  [few, many]: readonly [number, number],
  costs: readonly RunCost[],
): Figure[] {
  const [small, large] = costs;
  if (small === undefined || large === undefined) return [];
  const ratio = (kind: 'wall' | 'processor') => large[kind] / small[kind];
  return [
    atMost(`${many} volumes, ${phase}: wall a volume, against ${few}`, ratio('wall'), growth, '×'),
    atMost(`${many} volumes, ${phase}: processor a volume, against ${few}`, ratio('processor'), growth, '×'),
    information(`${few} volumes, ${phase}: wall a volume`, small.wall, 's'),
    information(`${many} volumes, ${phase}: wall a volume`, large.wall, 's'),
    information(`${few} volumes, ${phase}: memory of the program`, small.peak, 'MB'),
    information(`${many} volumes, ${phase}: memory of the program`, large.peak, 'MB'),
    atMost(
      `${many} volumes, ${phase}: memory of the program a volume, against ${few}`,
      large.peak / many / (small.peak / few),
      growth,
      '×',
    ),
  ];
}
