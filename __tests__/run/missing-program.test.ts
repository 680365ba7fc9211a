import { readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { searchPath } from '../../sandbox/tools.js';
import { Scenario } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';

/** A folder for PATH with every program but one. */
async function without(program: string): Promise<string> {
  const folder = await temporaryFolder('programs');
  for (const from of searchPath().split(':').toReversed()) {
    for (const name of await readdir(from).catch(() => []))
      if (name !== program)
        await symlink(path.join(from, name), path.join(folder, name)).catch(() => undefined);
  }
  return folder;
}

test('a program that one volume needs and nobody else is that volume’s failure, and no mistake of the usage', async () => {
  const scenario = await Scenario.create({ standIn: true });
  const fill = (root: string) => writeFile(path.join(root, 'f'), 'data');
  await scenario.claim('ext', { fill });
  await scenario.claim('xfs', { fill, format: 'xfs', fsType: 'xfs', size: '400M' });
  const PATH = await without('xfs_repair');
  const report = await scenario.run({ args: ['--fsck', 'full'], env: { PATH } });
  expect(report.volumes.map(({ pvc, outcome }) => [pvc, outcome])).toEqual([
    ['ext', 'succeeded'],
    ['xfs', 'failed'],
  ]);
  expect(report.volumes[1]?.error?.message).toContain('xfs_repair');
  expect(report.code).toBe(1);
});
