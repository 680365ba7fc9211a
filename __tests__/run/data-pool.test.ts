import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { writeFilesystem } from '../../sandbox/ceph.js';
import { searchPath } from '../../sandbox/tools.js';
import { freshPool } from '../support/ceph.js';
import { FaultyPrograms } from '../support/faults.js';
import { Scenario } from '../support/scenario.js';

test('the clone of an image whose data are in a pool of their own has its data there, too', async () => {
  const [scenario, dataPool] = await Promise.all([Scenario.create({ standIn: true }), freshPool()]);
  const image = `${scenario.place}/pooled`;
  await scenario.cluster.createImage(image, '64M', ['--data-pool', dataPool]);
  await writeFilesystem(scenario.cluster, image, 'ext4', (root) => writeFile(path.join(root, 'f'), 'data'));
  await scenario.claim('pooled', { image });
  const programs = new FaultyPrograms([], searchPath(), ['rbd']);
  const report = await scenario.run({ programs });
  expect(report.volumes).toMatchObject([{ outcome: 'succeeded', error: null }]);
  expect([report.code, report.leftovers]).toEqual([0, []]);
  const clones = programs.calls().filter((call) => call.includes(' clone '));
  expect(clones).toEqual([expect.stringContaining(`--data-pool ${dataPool} `)]);
});
