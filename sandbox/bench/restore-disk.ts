import { rm } from 'node:fs/promises';
import path from 'node:path';
import { runCephbackup } from '../cephbackup.js';
import { run } from '../process.js';
import type { Repository } from '../repository.js';
import { searchPath } from '../tools.js';
import { randomBytesOf } from '../workload/random.js';
import { evenly, GiB, MiB, writeToDisk } from './disk-contents.js';
import { atMost, information, median, type Bench } from './figure.js';
import { measure } from './stopwatch.js';
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
    const seconds = new Map<Way, number[]>(ways.map((way) => [way, []]));
    const processor = new Map<Way, number[]>(ways.map((way) => [way, []]));
    const count = rounds ?? (quick ? 1 : 3);
    for (let round = 0; round < count; round += 1) {
      tell(`${used / MiB} MiB in ${size / GiB} GiB, round ${round + 1} of ${count}`);
      for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
        const measured = await measure(() => restoreBy(way, trial));
        seconds.get(way)?.push(measured.seconds);
        processor.get(way)?.push(measured.processorSeconds);
        await rm(trial.restored, { recursive: true, force: true });
        await bed.cluster.attempt('rbd', ['rm', '--no-progress', target]);
      }
    }
    const of = (way: Way) => median(seconds.get(way) ?? []);
    const bare = of('restic');
    const told = (way: Way) => `${of(way).toFixed(2)} s / ${bare.toFixed(2)} s`;
    const limited = (way: Way) =>
      atMost(`disk ${way}, verified, against restic restore`, of(way) / bare, mostTimes, '×', told(way));
    const informed = (way: Way) =>
      information(`${way}, against restic restore (${told(way)})`, of(way) / bare, '×');
    const busy = ways.map(
      (way) => `  ${way}: processors busy for ${median(processor.get(way) ?? []).toFixed(1)} s`,
    );
    return {
      figures: [
        limited('to a file'),
        limited('to an image'),
        informed('restic, verified'),
        informed('by hand'),
      ],
      notes: ['Of the whole machine, Ceph included:', ...busy],
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

async function restoreBy(way: Way, { bed, repository, id, restored }: Trial): Promise<void> {
  switch (way) {
    case 'restic':
      await repository.restic('restore', id, '--quiet', '--target', restored);
      return;
    case 'restic, verified':
      await repository.restic('restore', id, '--quiet', '--verify', '--target', restored);
      return;
    case 'by hand': {
      const env = { ...repository.env, ...bed.cluster.env, PATH: searchPath() };
      await run('sh', ['-ec', byHand(id, restored, bed.cluster.conf)], { env, timeout: 900_000 });
      return;
    }
    case 'to a file':
      return restore(bed, repository, ['--to-file', restored, '--format', 'raw']);
    case 'to an image':
      return restore(bed, repository, ['--to-image', target]);
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

async function restore(bed: TestBed, repository: Repository, to: string[]): Promise<void> {
  const args = ['restore', `${namespace}/disk`, ...to];
  const { code, stderr } = await runCephbackup(args, { env: bed.env(repository), timeout: 900_000 });
  if (code !== 0) throw new Error(`cephbackup ${args.join(' ')}: exit code ${String(code)}\n${stderr}`);
}
