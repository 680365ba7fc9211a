import { rm } from 'node:fs/promises';
import path from 'node:path';
import { execPath } from 'node:process';
import { checkout } from '../checkout.js';
import type { Repository } from '../repository.js';
import { resticProgram } from '../tools.js';
import { randomBytesOf } from '../workload/random.js';
import { evenly, GiB, MiB, writeToDisk } from './disk-contents.js';
import { atMost, information, median, type Bench } from './figure.js';
import { timed, type Cost } from './pipe.js';
import { namespace, TestBed } from './test-bed.js';

/** What is measured, each in turn; the first is what the others are compared with. */
const ways = ['restic', 'restic, verified', 'by hand', 'to a file', 'to an image'] as const;
type Way = (typeof ways)[number];

/**
 * A disk that was backed up in segments, restored and verified: against `restic restore` of its folder to a disk of this
 * machine, which neither verifies nor makes an image.
 */
export const restoreDisk: Bench = async ({ folder, quick, rounds, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const used = (quick ? 128 : 1332) * MiB;
    const size = (quick ? 2 : 20) * GiB;
    const object = 4 * MiB;
    const volume = await bed.disk('disk', size);
    await writeToDisk(
      bed,
      volume,
      evenly(used / object, size, (index) => randomBytesOf(index, object)),
    );
    const repository = await bed.repository();
    await bed.run({ repository, volumes: [volume], args: ['--keep-base'] });
    const [snapshot] = await repository.snapshots('--tag', 'pvc=disk');
    const trial = { bed, repository, id: snapshot?.id ?? '', restored: path.join(folder, 'restored') };
    const costs = new Map<Way, Cost[]>(ways.map((way) => [way, []]));
    const count = rounds ?? (quick ? 1 : 3);
    for (let round = 0; round < count; round += 1) {
      tell(`${used / MiB} MiB in ${size / GiB} GiB, round ${round + 1} of ${count}`);
      for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
        const cost = await restoreBy(way, trial);
        costs.get(way)?.push(cost);
        tell(`${way}: wall ${cost.wall.toFixed(2)} s, processor ${cost.processor.toFixed(2)} s`);
        await rm(trial.restored, { recursive: true, force: true });
        await bed.cluster.attempt('rbd', ['rm', '--no-progress', target]);
      }
    }
    const of = (way: Way, kind: keyof Cost) => median((costs.get(way) ?? []).map((cost) => cost[kind]));
    const ratio = (way: Way, kind: keyof Cost) => of(way, kind) / of('restic', kind);
    const told = (way: Way, kind: keyof Cost) =>
      `${of(way, kind).toFixed(2)} s / ${of('restic', kind).toFixed(2)} s`;
    const informed = (way: Way, kind: keyof Cost) =>
      information(`${way}, ${kind} against restic restore (${told(way, kind)})`, ratio(way, kind), '×');
    const limited = (way: Way) => {
      const what = `a disk ${way}, verified, wall against restic restore`;
      return atMost(what, ratio(way, 'wall'), mostTimes, '×', told(way, 'wall'));
    };
    return {
      figures: [
        limited('to a file'),
        informed('to a file', 'processor'),
        limited('to an image'),
        informed('to an image', 'processor'),
        informed('restic, verified', 'wall'),
        informed('by hand', 'wall'),
        informed('by hand', 'processor'),
      ],
      notes: ["Processor is of what is typed and all that runs below it; Ceph's daemons are not in it."],
    };
  } finally {
    await bed.stop();
  }
};

const mostTimes = 1.5;
const target = 'rbd/restored';

interface Trial {
  bed: TestBed;
  repository: Repository;
  /** Of the backup. */
  id: string;
  /** A folder or a file that does not exist. */
  restored: string;
}

function restoreBy(way: Way, { bed, repository, id, restored }: Trial): Promise<Cost> {
  const restic = (...options: string[]) =>
    timed([resticProgram, 'restore', id, '--quiet', ...options, '--target', restored], repository.env);
  const ours = (...to: string[]) => {
    const program = path.join(checkout, 'dist/bin/cephbackup.js');
    return timed([execPath, program, 'restore', `${namespace}/disk`, ...to], bed.env(repository));
  };
  switch (way) {
    case 'restic':
      return restic();
    case 'restic, verified':
      return restic('--verify');
    case 'by hand':
      return timed(['sh', '-ec', byHand(id, restored, bed.cluster.conf)], {
        ...repository.env,
        ...bed.cluster.env,
      });
    case 'to a file':
      return ours('--to-file', restored, '--format', 'raw');
    case 'to an image':
      return ours('--to-image', target);
  }
}

/** As docs/formats.md says. */
function byHand(id: string, restored: string, conf: string): string {
  return `restic restore '${id}' --quiet --target '${restored}'
cd '${restored}/disk.d'
size=$(sed 's/.*"size":\\([0-9]*\\).*/\\1/' image.json)
segment=$(sed 's/.*"segmentSize":\\([0-9]*\\).*/\\1/' image.json)
truncate -s "$size" ../disk.raw
for file in */*; do
  dd if="$file" of=../disk.raw bs=1M oflag=seek_bytes seek=$((0x\${file#*/} * segment)) conv=notrunc,sparse status=none
done
qemu-img convert -f raw -O raw ../disk.raw 'rbd:${target}:conf=${conf}'`;
}
