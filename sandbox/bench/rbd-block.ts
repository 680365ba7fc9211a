import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { prepare } from '../prepared-image.js';
import type { Repository } from '../repository.js';
import { randomBytesOf } from '../workload/random.js';
import { evenly, GiB, MiB, writeToDisk } from './disk-contents.js';
import { atMost, information, median, type Bench } from './figure.js';
import { inTurn } from './against-script.js';
import { backUpPipe, bytesIn, timed, timedIntoPipe, type Cost } from './pipe.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';

/** A disk of which little is in use: what the way into QCOW2 costs beyond the bare pipe from rbd into restic. */
export const rbdBlock: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const [size, used] = quick ? [1 * GiB, 64 * MiB] : [20 * GiB, 1332 * MiB];
    tell(`a disk of ${size / GiB} GiB with ${used / MiB} MiB in it`);
    const volume = await bed.disk('disk', size);
    const object = 4 * MiB;
    await writeToDisk(
      bed,
      volume,
      evenly(used / object, size, (index) => randomBytesOf(index, object)),
    );
    const streams = await compareStreams(bed, volume, quick ? 1 : 5, tell);
    tell('reading, against an export of the whole image');
    const reading = await compareReading(bed, volume, quick ? 1 : 3);
    tell('whole runs');
    return { figures: [...streams, ...reading, ...(await wholeRuns(bed, volume))], notes: [] };
  } finally {
    await bed.stop();
  }
};

/** `relayed` is the bare pipe with `cat` in it: what any process costs that takes each byte in and gives it out again. */
const sides = ['ours', 'bare', 'relayed'] as const;
type Side = (typeof sides)[number];
const phases = ['new', 'unchanged'] as const;
type Phase = (typeof phases)[number];
type Costs = Record<Side, Record<Phase, Cost[]>>;

async function compareStreams(bed: TestBed, volume: Volume, rounds: number, tell: (text: string) => void) {
  const costs: Costs = {
    ours: { new: [], unchanged: [] },
    bare: { new: [], unchanged: [] },
    relayed: { new: [], unchanged: [] },
  };
  const stored: Record<Side, number> = { ours: 0, bare: 0, relayed: 0 };
  const { source, name, scope } = await prepare(bed.cluster, volume.image);
  const env = { ...bed.cluster.env };
  const bare = ['rbd', 'export-diff', '--no-progress', `${volume.image}@${name}`, '-'];
  const commands: Record<Side, readonly string[]> = {
    ours: source.command,
    bare,
    relayed: ['bash', '-c', 'set -o pipefail; "$@" | cat', 'bash', ...bare],
  };
  for (let round = 0; round < rounds; round += 1) {
    tell(`round ${round + 1} of ${rounds}: the streams into an empty repository, then unchanged`);
    const repositories: Record<Side, Repository> = {
      ours: await bed.repository(),
      bare: await bed.repository(),
      relayed: await bed.repository(),
    };
    for (const phase of phases) {
      await inTurn(
        round,
        sides.map((side) => async () => {
          costs[side][phase].push(await backUpPipe(repositories[side], commands[side], env));
        }),
      );
    }
    for (const side of sides) {
      stored[side] = await bytesIn(repositories[side]);
      await rm(repositories[side].folder, { recursive: true });
    }
  }
  await scope.release();
  const figures = phases.flatMap((phase) => [
    ratio(`${phase}, wall against the bare pipe`, costs, phase, 'wall', 1.08),
    ratio(`${phase}, processor against the bare pipe`, costs, phase, 'processor', 1.15),
  ]);
  return [
    ...figures,
    atMost('stored, against the bare pipe', stored.ours / stored.bare, 1.01, '×'),
    ...phases.flatMap((phase) => [relay(costs, phase, 'wall'), relay(costs, phase, 'processor')]),
    information('the bare pipe, new, wall', median(costs.bare.new.map(({ wall }) => wall)), 's'),
    information('the bare pipe, unchanged, wall', median(costs.bare.unchanged.map(({ wall }) => wall)), 's'),
  ];
}

function ratio(what: string, costs: Costs, phase: Phase, kind: keyof Cost, limit: number) {
  const [ours, bare] = [middle(costs.ours, phase, kind), middle(costs.bare, phase, kind)];
  return atMost(what, ours / bare, limit, '×', `${ours.toFixed(2)} s / ${bare.toFixed(2)} s`);
}

function relay({ relayed, bare }: Costs, phase: Phase, kind: keyof Cost) {
  const ratio = middle(relayed, phase, kind) / middle(bare, phase, kind);
  return information(`\`cat\` in the bare pipe, ${phase}, ${kind}`, ratio, '×');
}

function middle(costs: Record<Phase, Cost[]>, phase: Phase, kind: keyof Cost): number {
  return median(costs[phase].map((cost) => cost[kind]));
}

/** Snapshot, listings and the whole stream, as restic reads it: from a pipe. */
async function compareReading(bed: TestBed, { image }: Volume, rounds: number) {
  const { env } = bed.cluster;
  const ours: number[] = [];
  const whole = { pipe: [] as number[], nothing: [] as number[], file: [] as number[] };
  const exportTo = (target: string) => ['rbd', 'export', '--no-progress', image, target];
  const file = join(bed.folder, 'exported');
  for (let round = 0; round < rounds; round += 1) {
    await inTurn(round, [
      async () => {
        const { seconds, result } = await measure(async () => {
          const prepared = await prepare(bed.cluster, image);
          await timedIntoPipe(prepared.source.command, env);
          return prepared;
        });
        await result.scope.release();
        ours.push(seconds);
      },
      async () => {
        whole.pipe.push((await timedIntoPipe(exportTo('-'), env)).wall);
      },
    ]);
    whole.nothing.push((await timed(exportTo('-'), env)).wall);
    whole.file.push((await timed(exportTo(file), env)).wall);
    await rm(file);
  }
  const [read, all] = [median(ours), median(whole.pipe)];
  const formula = `${read.toFixed(2)} s / ${all.toFixed(2)} s`;
  return [
    atMost('reading, against `rbd export` of all into a pipe', read / all, 0.2, '×', formula),
    information('`rbd export` of all into nothing, which takes zeros for free', median(whole.nothing), 's'),
    information('`rbd export` of all into a sparse file', median(whole.file), 's'),
  ];
}

/** Of the whole program, Kubernetes, manifests, proof and all: new, and unchanged. */
async function wholeRuns(bed: TestBed, volume: Volume) {
  const repository = await bed.repository();
  const volumes = [volume];
  const first = await measure(() => bed.run({ repository, volumes }));
  const second = await measure(() => bed.run({ repository, volumes }));
  return [
    information('a whole run, new, wall', first.seconds, 's'),
    information('a whole run, unchanged, wall', second.seconds, 's'),
    information('a whole run, unchanged, bytes added', second.result.report.volumes[0]?.bytesAdded ?? 0, ''),
  ];
}
