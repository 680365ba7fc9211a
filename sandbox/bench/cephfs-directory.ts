import { mkdirSync, writeFileSync } from 'node:fs';
import { catSnapshot } from './by-hand.js';
import { atLeast, information, type Bench } from './figure.js';
import { measure } from './stopwatch.js';
import { TestBed } from './test-bed.js';

/** One directory of a CephFS with very many files: nothing is measured against it, it has to work. */
export const cephfsDirectory: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder, ['cephfs']);
  try {
    const files = quick ? 2_000 : 100_000;
    tell(`a directory of ${files} files`);
    const volume = await bed.share('directory', (root) => {
      mkdirSync(`${root}/many`);
      for (let index = 0; index < files; index += 1) writeFileSync(`${root}/many/${index}`, '');
    });
    const [repository, volumes] = [await bed.repository(), [volume]];
    const first = await measure(() => bed.run({ repository, volumes }));
    const second = await measure(() => bed.run({ repository, volumes }));
    const id = second.result.report.volumes[0]?.snapshot ?? '';
    const { summary } = await catSnapshot(repository, id);
    return {
      figures: [
        information(`${files} files in one directory, first backup, wall`, first.seconds, 's'),
        information('unchanged, wall', second.seconds, 's'),
        atLeast('unchanged, files known', summary.files_unmodified, files, ''),
      ],
      notes: [],
    };
  } finally {
    await bed.stop();
  }
};
