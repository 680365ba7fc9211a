import { mkdirSync, openSync, closeSync, writeFileSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { mountImage } from '../ceph.js';
import { run } from '../process.js';
import type { Repository } from '../repository.js';
import { randomBytesOf } from '../workload/random.js';
import { catSnapshot } from './by-hand.js';
import { atMost, information, type Bench, type Figure } from './figure.js';
import { filledVolume } from './filled.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';
import { timedCommands } from './timeline.js';

const filesPerFolder = 1_000;
const debug = ['--log-level', 'debug', '--log-format', 'json'];

/**
 * What it costs that files which were changed just before a snapshot are read again: very many small files that nobody
 * has changed for a day, unmounted and in use, and then while a hundredth of them is overwritten.
 */
export const millionFiles: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const files = quick ? 20_000 : Number(process.env.FILES ?? 1_000_000);
    const changed = files / 100;
    tell(`a volume of ${files} small files`);
    const volume = await filledVolume(bed, {
      name: 'files',
      files: files,
      bytesPerFile: 4_096,
      blockBytes: 1_024,
      fill: (root) => {
        writeFiles(root, files);
      },
      finish: age,
    });
    const repository = await bed.repository();
    const figures: Figure[] = [];
    const backUp = async (what: string): Promise<BackedUp> => {
      tell(what);
      const backedUp = await oneRun(bed, repository, volume);
      const found = figuresOf(`${files} files, ${what}`, backedUp);
      // What takes long is told as it comes.
      for (const { what: name, measured } of found) tell(`${name}: ${measured}`);
      figures.push(...found);
      return backedUp;
    };
    await backUp('first backup, unmounted');
    const unmounted = await backUp('unchanged, unmounted');
    figures.push(atMost('the same: files read', unmounted.filesRead, 0, ''));
    const mounted = await mountImage(bed.cluster, volume.image, 'ext4');
    try {
      // The hour before the newest change is hot, since that is not known yet: 100 days have 2,400 hours.
      const first = await backUp('unchanged, in use for the first time');
      await backUp('unchanged, in use');
      figures.push(atMost('the first of the two: files read', first.filesRead, files / 1_000, ''));
      overwrite(mounted.path, changed);
      await bed.cluster.run('sync', ['-f', mounted.path]);
      const hot = await backUp(`${changed} overwritten`);
      const after = await backUp('unchanged since, in use');
      // What was hot is read twice, and nothing else.
      figures.push(
        atMost(`${changed} overwritten: files read`, hot.filesRead, changed, ''),
        atMost('unchanged since, in use: files read', after.filesRead, changed, ''),
      );
    } finally {
      await mounted.unmount();
    }
    return { figures, notes: [] };
  } finally {
    await bed.stop();
  }
};

interface BackedUp {
  wall: number;
  processor: number;
  /** Of walks over the inodes of the clone. */
  walks: number;
  /** Seconds that they took. */
  walking: number;
  filesRead: number;
}

async function oneRun(bed: TestBed, repository: Repository, volume: Volume): Promise<BackedUp> {
  const measured = await measure(() => bed.run({ repository, volumes: [volume], args: debug }));
  const { report, stderr, began } = measured.result;
  // Looks into the root directory alone take next to nothing.
  const walks = timedCommands(stderr, began).filter(({ name, seconds }) => name === 'find' && seconds > 0.1);
  const { summary } = await catSnapshot(repository, report.volumes[0]?.snapshot ?? '');
  return {
    wall: measured.seconds,
    processor: measured.processorSeconds,
    walks: walks.length,
    walking: walks.reduce((sum, { seconds }) => sum + seconds, 0),
    filesRead: summary.files_new + summary.files_changed,
  };
}

function figuresOf(what: string, { wall, processor, walks, walking, filesRead }: BackedUp): Figure[] {
  return [
    information(`${what}: wall`, wall, 's'),
    information(`${what}: processor`, processor, 's'),
    information(`${what}: ${walks} walks over the inodes`, walking, 's'),
    information(`${what}: files read`, filesRead, ''),
  ];
}

const noise = randomBytesOf(7, 1 << 20);

function writeFiles(root: string, files: number): void {
  for (let index = 0; index < files; index += 1) {
    const folder = path.join(root, String(Math.floor(index / filesPerFolder)));
    if (index % filesPerFolder === 0) mkdirSync(folder);
    const start = (index * 97) % 1_000_000;
    const content = Buffer.concat([
      Buffer.from(String(index)),
      noise.subarray(start, start + 100 + (index % 400)),
    ]);
    writeFileSync(path.join(folder, String(index)), content);
  }
}

/** As if it had been written over a hundred days, and for the last time a day ago. */
async function age(file: string, folder: string): Promise<void> {
  const head = await run('dumpe2fs', ['-h', file]);
  const inodes = Number(/^Inode count: +(\d+)$/m.exec(head)?.[1]);
  const now = Math.floor(Date.now() / 1000);
  const written = (inode: number) => now - 86_400 - Math.floor((inode / inodes) * 100 * 86_400);
  const script = path.join(folder, 'script');
  const numbers = [2, ...Array.from({ length: inodes - 10 }, (_, index) => index + 11)];
  await writeFile(script, numbers.map((inode) => `sif <${inode}> ctime @${written(inode)}\n`).join(''));
  await run('sh', ['-c', 'exec debugfs -w -f "$0" "$1" >/dev/null 2>&1', script, file], { timeout: 900_000 });
}

/** The first bytes of some files, spread over all folders. */
function overwrite(root: string, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const number = index * 100;
    const name = path.join(root, String(Math.floor(number / filesPerFolder)), String(number));
    const file = openSync(name, 'r+');
    writeSync(file, 'changed', 0);
    closeSync(file);
  }
}
