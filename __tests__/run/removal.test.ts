import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { Scenario } from '../support/scenario.js';
import { FaultyPrograms } from '../support/faults.js';
import { searchPath } from '../../sandbox/tools.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
});

test('xfs: a mount that replays the log and is there although its command failed is unmounted before anything else', async () => {
  const claim = await scenario.claim('xfs', {
    format: 'xfs',
    fsType: 'xfs',
    size: '400M',
    fill: (root) => writeFile(path.join(root, 'f'), 'data'),
  });
  const before = await scenario.world();
  const fault = { program: 'mount', when: '*-t xfs*rw*', mode: 'fail-after', exitCode: 32 } as const;
  const programs = new FaultyPrograms([fault], searchPath(), ['rbd', 'umount']);
  const report = await scenario.run({ programs, args: ['--pvc', 'demo/xfs'] });
  expect(report.volume(claim)).toMatchObject({ outcome: 'failed', error: { code: 'MOUNT_FAILED' } });
  expect(report.leftovers).toEqual([]);
  const undoing = programs.calls().filter((call) => /^umount | rm --no-progress /.test(call));
  expect(undoing[0]).toMatch(/^umount /);
  await expectCleanWorld(before, scenario.worldScope, 10_000);
});
