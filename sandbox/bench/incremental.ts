import { execPath } from 'node:process';
import path from 'node:path';
import { rm } from 'node:fs/promises';
import { checkout } from '../checkout.js';
import type { Repository } from '../repository.js';
import { randomBytesOf } from '../workload/random.js';
import { inTurn } from './against-script.js';
import { evenly, GiB, KiB, MiB, writeToDisk, type Piece } from './disk-contents.js';
import { atMost, information, median, type Bench } from './figure.js';
import { backUpPipe, bytesIn, timed, type Cost } from './pipe.js';
import { namespace, TestBed, type Volume } from './test-bed.js';

const phases = ['new', 'unchanged', '1 % changed', '4 KiB in each object'] as const;
type Phase = (typeof phases)[number];
interface Limit {
  wall: number;
  processor: number;
}
/** None for what changes everywhere, which is read whole by either. */
type Limits = Partial<Record<Phase, Limit>>;
const limits: Limits = {
  new: { wall: 1.25, processor: 1.3 },
  unchanged: { wall: 0.4, processor: 0.4 },
  '1 % changed': { wall: 0.6, processor: 0.5 },
};
const fourfoldLimits: Limits = {
  unchanged: { wall: 0.12, processor: 0.12 },
  '1 % changed': { wall: 0.5, processor: 0.5 },
};

type Costs = Record<'ours' | 'bare', Record<Phase, (Cost & { added: number })[]>>;

interface Disk {
  /** Bytes. */
  size: number;
  used: number;
  /** How often each phase is measured in a round. */
  times: Partial<Record<Phase, number>>;
}

/** Whole runs with `--keep-base`, against the bare pipe from rbd into restic, which reads everything. */
export const incremental: Bench = async ({ folder, quick, rounds: asked, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const once = { new: 1, unchanged: 1, '1 % changed': 1, '4 KiB in each object': 1 };
    const [size, used] = quick ? [4 * GiB, 256 * MiB] : [20 * GiB, 1332 * MiB];
    const costs = await rounds(bed, asked ?? (quick ? 1 : 5), { size, used, times: once }, tell);
    return { figures: phases.flatMap((phase) => figuresOf(costs, phase, limits[phase])), notes: [] };
  } finally {
    await bed.stop();
  }
};

/** The same with four times the data: one disk, backed up again and again. */
export const fourfold: Bench = async ({ folder, quick, rounds: asked, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const [size, used] = quick ? [8 * GiB, 512 * MiB] : [80 * GiB, 5328 * MiB];
    const often = asked ?? (quick ? 1 : 3);
    const times = { new: 1, unchanged: often, '1 % changed': often };
    const costs = await rounds(bed, 1, { size, used, times }, tell);
    const measured = phases.filter((phase) => phase in times);
    const figures = measured.flatMap((phase) => figuresOf(costs, phase, fourfoldLimits[phase]));
    return { figures, notes: [] };
  } finally {
    await bed.stop();
  }
};

async function rounds(bed: TestBed, count: number, disk: Disk, tell: (text: string) => void): Promise<Costs> {
  tell(`a disk of ${disk.size / GiB} GiB with ${disk.used / MiB} MiB in it`);
  const costs: Costs = { ours: empty(), bare: empty() };
  for (let round = 0; round < count; round += 1) {
    tell(`round ${round + 1} of ${count}`);
    await oneRound(bed, round, disk, costs, tell);
  }
  return costs;
}

function empty(): Costs['ours'] {
  return { new: [], unchanged: [], '1 % changed': [], '4 KiB in each object': [] };
}

async function oneRound(
  bed: TestBed,
  round: number,
  { size, used, times }: Disk,
  costs: Costs,
  tell: (text: string) => void,
) {
  const volume = await bed.disk(`disk-${round}`, size);
  const object = 4 * MiB;
  const noise = (seed: number) => randomBytesOf(seed, object);
  await writeToDisk(bed, volume, evenly(used / object, size, noise));
  const repositories = { ours: await bed.repository(), bare: await bed.repository() };
  const turns = phases.flatMap((phase) => Array.from({ length: times[phase] ?? 0 }, () => phase));
  for (const [turn, phase] of turns.entries()) {
    if (phase === '1 % changed') await writeToDisk(bed, volume, scattered(used, size, turn));
    if (phase === '4 KiB in each object') await writeToDisk(bed, volume, everywhere(used, size));
    const sides = {
      ours: () => wholeRun(bed, repositories.ours, volume),
      bare: () => barePipe(bed, repositories.bare, volume, turn),
    };
    await inTurn(
      round + turn,
      (['ours', 'bare'] as const).map((side) => async () => {
        const before = await bytesIn(repositories[side]);
        const cost = await sides[side]();
        costs[side][phase].push({ ...cost, added: (await bytesIn(repositories[side])) - before });
        // As they come: whatever happens to a later round, these are measured.
        tell(`${phase}, ${side}: wall ${cost.wall.toFixed(2)} s, processor ${cost.processor.toFixed(2)} s`);
      }),
    );
  }
  for (const { folder } of Object.values(repositories)) await rm(folder, { recursive: true });
  await bed.cluster.rbd('snap', 'purge', '--no-progress', volume.image);
  await bed.cluster.rbd('rm', '--no-progress', volume.image);
}

/** One part in a hundred of what is in use, 256 KiB at a time. */
function* scattered(used: number, size: number, turn: number): Generator<Piece> {
  const object = 4 * MiB;
  const objects = used / object;
  const apart = Math.floor(size / objects / object) * object;
  const count = Math.round(used / 100 / (256 * KiB));
  for (let index = 0; index < count; index += 1) {
    const at = Math.floor((index * objects) / count) * apart;
    yield { offset: at + MiB, bytes: randomBytesOf(9000 + 1000 * turn + index, 256 * KiB) };
  }
}

/** A little in every object that there is. */
function everywhere(used: number, size: number): Generator<Piece> {
  return evenly(used / (4 * MiB), size, (index) => randomBytesOf(90_000 + index, 4 * KiB));
}

/** Kubernetes, manifests, proof and all. */
function wholeRun(bed: TestBed, repository: Repository, { name }: Volume): Promise<Cost> {
  const program = path.join(checkout, 'dist/bin/cephbackup.js');
  return timed(
    [execPath, program, 'run', '--keep-base', '--pvc', `${namespace}/${name}`],
    bed.env(repository),
  );
}

async function barePipe(
  bed: TestBed,
  repository: Repository,
  { image }: Volume,
  turn: number,
): Promise<Cost> {
  const snapshot = `${image}@bare-${turn}`;
  await bed.cluster.rbd('snap', 'create', '--no-progress', snapshot);
  const command = ['rbd', 'export-diff', '--no-progress', snapshot, '-'];
  return backUpPipe(repository, command, { ...bed.cluster.env });
}

function figuresOf({ ours, bare }: Costs, phase: Phase, limit: Limit | undefined) {
  const of = (side: Costs['ours'], kind: 'wall' | 'processor' | 'added') =>
    median(side[phase].map((cost) => cost[kind]));
  const ratio = (kind: 'wall' | 'processor') => {
    const [run, pipe] = [of(ours, kind), of(bare, kind)];
    const what = `${phase}, ${kind} of a whole run, against the bare pipe`;
    const formula = `${run.toFixed(2)} s / ${pipe.toFixed(2)} s`;
    if (limit === undefined) return information(`${what} (${formula})`, run / pipe, '×');
    return atMost(what, run / pipe, limit[kind], '×', formula);
  };
  const added = of(ours, 'added') / of(bare, 'added');
  const stored =
    phase === '1 % changed'
      ? atMost('1 % changed, bytes added, against the bare pipe', added, 1, '×')
      : information(`${phase}, bytes added, against the bare pipe`, added, '×');
  return [ratio('wall'), ratio('processor'), stored];
}
