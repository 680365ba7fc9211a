import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { startCephbackup, type CephbackupResult } from '../cephbackup.js';
import { information, type Bench, type Figure } from './figure.js';
import { filledVolume } from './filled.js';
import { sample, type Sample } from './memory.js';
import { ResticWatch } from './restics.js';
import { namespace, TestBed } from './test-bed.js';

/** What one directory with very many entries costs: all of them are one tree of restic's. */
export const flatDirectory: Bench = async ({ folder, quick, tell }) => {
  const entries = quick ? 20_000 : Number(process.env.FILES ?? 1_000_000);
  const bed = await TestBed.start(folder);
  try {
    tell(`a directory of ${entries} empty files`);
    const volume = await filledVolume(bed, {
      name: 'flat',
      files: entries,
      bytesPerFile: 400,
      blockBytes: 4_096,
      fill: (root) => {
        const flat = path.join(root, 'flat');
        mkdirSync(flat);
        for (let index = 0; index < entries; index += 1)
          closeSync(openSync(path.join(flat, nameOf(index)), 'wx'));
      },
    });
    const repository = await bed.repository();
    const watch = new ResticWatch(path.join(folder, 'watch'));
    const figures: Figure[] = [];
    const observed = async (what: string, start: () => ReturnType<typeof startCephbackup>) => {
      tell(what);
      const { result, restics } = await watch.during(() => sample(start));
      const found = figuresOf(what, result, Math.max(...restics.map(({ peak }) => peak)));
      for (const { what: name, measured } of found) tell(`${name}: ${measured}`);
      figures.push(...found);
    };
    const backUp = () => bed.start({ repository, volumes: [volume], searchPath: watch.searchPath });
    await observed('run', backUp);
    await observed('run, unchanged', backUp);
    const target = path.join(folder, 'restored');
    await observed('restore --to-directory', () =>
      startCephbackup(['restore', `${namespace}/${volume.name}`, '--to-directory', target, '-o', 'json'], {
        env: { ...bed.env(repository), PATH: watch.searchPath },
        timeout: 3_600_000,
      }),
    );
    const restored = new Set(readdirSync(path.join(target, 'flat')));
    for (let index = 0; index < entries; index += 1)
      if (!restored.delete(nameOf(index))) throw new Error(`${nameOf(index)} was not restored`);
    if (restored.size > 0) throw new Error(`${restored.size} entries too many were restored`);
    return { figures, notes: ['Every name that was there was restored.'] };
  } finally {
    await bed.stop();
  }
};

function figuresOf(what: string, done: Sample<CephbackupResult>, restic: number): Figure[] {
  const { code, stderr } = done.result;
  if (code !== 0) throw new Error(`${what}: exit code ${String(code)}\n${stderr}`);
  return [
    information(`${what}: wall`, done.seconds, 's'),
    information(`${what}: processor of the program's own process`, done.processorSeconds, 's'),
    information(`${what}: memory of the program's own process, at most`, done.peak, 'MB'),
    information(`${what}: memory of the largest restic, at most`, restic, 'MB'),
  ];
}

function nameOf(index: number): string {
  return `entry-${index}`;
}
