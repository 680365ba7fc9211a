import { mkdir, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { run } from '../../sandbox/process.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

let scenario: Scenario;
let files: SeededClaim;
let disk: SeededClaim;
let full: string;

beforeAll(async () => {
  scenario = await Scenario.create();
  const fill = (root: string) => writeFile(`${root}/file`, randomBytes(8 * 1024 * 1024));
  [files, disk] = await Promise.all([
    scenario.claim('files', { fill }),
    scenario.claim('disk', { volumeMode: 'Block', fill }),
  ]);
  full = await temporaryFolder('full');
  await mkdir(full, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'tmpfs', full]);
  atEnd(() => run('umount', [full]));
});

test.each([
  ['files', () => files],
  ['a disk', () => disk],
])('a full folder for temporary files is told as such: %s', async (_, claim) => {
  const args = ['--pvc', `demo/${claim().name}`];
  const report = await scenario.run({ args, env: { TMPDIR: full } });
  expect(report.volume(claim())).toMatchObject({
    outcome: 'failed',
    error: { code: 'TEMPORARY_FULL', message: expect.stringContaining(full) },
  });
  expect(report.code).toBe(1);
});
