import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachImage } from '../ceph.js';
import { randomBytesOf } from '../workload/random.js';
import { evenly, MiB, writeToDisk } from './disk-contents.js';
import { information, type Bench, type Figure } from './figure.js';
import { smallVolumes } from './small-volumes.js';
import { TestBed } from './test-bed.js';

/** What a run does to somebody who writes to the same Ceph: to a disk that is backed up, and to one that is not. */
export const otherWriters: Bench = async ({ folder, quick, rounds, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const used = (quick ? 32 : 256) * MiB;
    const disks = [await bed.disk('backed-up', used), await bed.disk('left-alone', used)];
    for (const disk of disks)
      await writeToDisk(
        bed,
        disk,
        evenly(used / (4 * MiB), used, (index) => randomBytesOf(index, 4 * MiB)),
      );
    const small = await smallVolumes(bed, quick ? 2 : 8);
    const volumes = [...small, ...disks.slice(0, 1)];
    const repository = await bed.repository();
    const figures: Figure[] = [];
    for (const disk of disks) {
      const attached = await attachImage(bed.cluster, disk.image);
      try {
        const tookMs: Record<'without' | 'with', number[]> = { without: [], with: [] };
        for (let round = 0; round < (rounds ?? (quick ? 1 : 3)); round += 1) {
          tell(`round ${round + 1}: a writer to the disk ${disk.name}, without a run, then with one`);
          const alone = startWriter(attached.path, used);
          await sleep(quick ? 3_000 : 20_000);
          tookMs.without.push(...(await alone.stop()));
          const beside = startWriter(attached.path, used);
          try {
            await bed.run({ repository, volumes });
          } finally {
            tookMs.with.push(...(await beside.stop()));
          }
        }
        for (const [when, values] of Object.entries(tookMs)) {
          const name = `a write to the disk ${disk.name}, ${when} a run`;
          for (const part of [0.5, 0.99])
            figures.push(
              information(`${name}, p${100 * part} of ${values.length}`, quantile(values, part), 'ms'),
            );
        }
        figures.push(information(`the same, p99 with against without`, ratio(tookMs), '×'));
      } finally {
        await attached.detach();
      }
    }
    return { figures, notes: [] };
  } finally {
    await bed.stop();
  }
};

function ratio(tookMs: Record<'without' | 'with', number[]>): number {
  return quantile(tookMs.with, 0.99) / quantile(tookMs.without, 0.99);
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

interface Writer {
  /** What each write took, milliseconds. */
  stop(): Promise<number[]>;
}

function startWriter(file: string, size: number): Writer {
  const script = fileURLToPath(new URL('writer.js', import.meta.url));
  const argv = ['--pdeathsig', 'KILL', '--', process.execPath, script, file, String(size)];
  const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject).once('close', () => {
      resolve();
    });
  });
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      if (printed === '') throw new Error('the writer ended without a word');
      return JSON.parse(printed) as number[];
    },
  };
}
