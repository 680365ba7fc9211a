import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { runCephbackup } from '../cephbackup.js';
import { run } from '../process.js';
import type { Repository } from '../repository.js';
import { searchPath } from '../tools.js';
import { writeContents } from './contents.js';
import { atMost, information, median, type Bench, type Figure } from './figure.js';
import { measure } from './stopwatch.js';
import { namespace, TestBed } from './test-bed.js';

const mebibyte = 1024 ** 2;

interface Trial {
  bed: TestBed;
  repository: Repository;
  rounds: number;
  quick: boolean;
  tell: (text: string) => void;
}

/** Restores, verification included, against what an administrator would type. */
export const restore: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const trial = { bed, repository: await bed.repository(), rounds: quick ? 1 : 3, quick, tell };
    return { figures: [...(await disks(trial)), ...(await files(trial))], notes: [] };
  } finally {
    await bed.stop();
  }
};

/** A disk, to an image: against `restic dump` into a scratch file and `qemu-img convert` from there. */
async function disks({ bed, repository, rounds, quick, tell }: Trial): Promise<Figure[]> {
  const size = (quick ? 64 : 768) * mebibyte;
  const file = path.join(bed.folder, 'content');
  await run('sh', ['-c', `head -c ${size} /dev/urandom > content && truncate -s ${2 * size} content`], {
    cwd: bed.folder,
  });
  const volume = await bed.disk('disk', 2 * size);
  await bed.cluster.rbd('rm', '--no-progress', volume.image);
  await bed.cluster.run('rbd', ['import', '--no-progress', file, volume.image], { timeout: 600_000 });
  await rm(file);
  await bed.run({ repository, volumes: [volume] });
  const [snapshot] = await repository.snapshots('--tag', 'pvc=disk');
  const scratch = path.join(bed.folder, 'scratch.qcow2');
  const target = 'rbd/restored';
  const env = { ...repository.env, ...bed.cluster.env, PATH: searchPath() };
  const byHand = [
    `restic dump ${snapshot?.id ?? ''} /disk.qcow2 > ${scratch}`,
    `qemu-img convert -f qcow2 -O raw ${scratch} rbd:${target}:conf=${bed.cluster.conf}`,
  ].join(' && ');
  const remove = () => bed.cluster.rbd('rm', '--no-progress', target);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    tell(`disk, round ${round + 1}`);
    theirs.push((await measure(() => run('sh', ['-ec', byHand], { env, timeout: 900_000 }))).seconds);
    await remove();
    await rm(scratch);
    ours.push((await measure(() => restored(bed, repository, 'disk', ['--to-image', target]))).seconds);
    await remove();
  }
  const formula = `0.9 × ${median(theirs).toFixed(2)}, restic dump and qemu-img convert, not verified`;
  const what = `restore of a disk with ${size / mebibyte} MiB of data to an image, verified`;
  return [atMost(what, median(ours), 0.9 * median(theirs), 's', formula)];
}

/** Files, to a directory: against restic itself. */
async function files({ bed, repository, rounds, quick, tell }: Trial): Promise<Figure[]> {
  const volume = await bed.volume('files', 1024 * mebibyte, (root) => {
    const largeFiles = Array<number>(quick ? 1 : 6).fill(32 * mebibyte);
    writeContents(root, { seed: 5, smallFiles: quick ? 500 : 20_000, largeFiles });
  });
  await bed.run({ repository, volumes: [volume] });
  const [snapshot] = await repository.snapshots('--tag', 'pvc=files');
  const target = path.join(bed.folder, 'restored');
  const bare = async (...options: string[]) => {
    await mkdir(target);
    const { seconds } = await measure(() =>
      repository.restic('restore', snapshot?.id ?? '', '--quiet', ...options, '--target', target),
    );
    await rm(target, { recursive: true });
    return seconds;
  };
  const [ours, theirs, unverified]: number[][] = [[], [], []];
  for (let round = 0; round < rounds; round += 1) {
    tell(`files, round ${round + 1}`);
    theirs?.push(await bare('--sparse', '--verify'));
    ours?.push((await measure(() => restored(bed, repository, 'files', ['--to-directory', target]))).seconds);
    await rm(target, { recursive: true });
    unverified?.push(await bare());
  }
  const verified = median(theirs ?? []);
  const formula = `1.05 × ${verified.toFixed(2)}, restic restore --sparse --verify`;
  return [
    atMost(
      'restore of 20,000 files to a directory, verified',
      median(ours ?? []),
      1.05 * verified,
      's',
      formula,
    ),
    information('the same by restic restore, not verified', median(unverified ?? []), 's'),
  ];
}

async function restored(
  bed: TestBed,
  repository: Repository,
  claim: string,
  target: string[],
): Promise<void> {
  const args = ['restore', `${namespace}/${claim}`, ...target];
  const { code, stderr } = await runCephbackup(args, { env: bed.env(repository), timeout: 900_000 });
  if (code !== 0) throw new Error(`cephbackup ${args.join(' ')}: exit code ${String(code)}\n${stderr}`);
}
