import { readdir, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { writeUnnamedFile } from '../../lib/tools/process/unnamed-file.js';
import { writeFilesystem } from '../../sandbox/ceph.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { smallFilesystem } from '../support/temporary.js';

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
  full = await smallFilesystem('1M');
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

test('also where prune has to pack anew what is left', async () => {
  const kept = randomBytes(3 * 1024 * 1024);
  const fill = async (root: string) => {
    await writeFile(`${root}/gone`, randomBytes(3 * 1024 * 1024));
    await writeFile(`${root}/kept`, kept);
  };
  const claim = await scenario.claim('shrinking', { fill });
  const args = ['--pvc', 'demo/shrinking'];
  await scenario.run({ args });
  await writeFilesystem(scenario.cluster, claim.image, 'ext4', (root) => writeFile(`${root}/kept`, kept));
  await scenario.run({ args });
  const prune = ['prune', '--keep-last', '1', '--max-unused', '0%', '-o', 'json'];
  const { code, json } = await scenario.cephbackup(prune, { env: { TMPDIR: full } });
  expect({ code, json }).toMatchObject({ code: 1, json: { error: { code: 'TEMPORARY_FULL' } } });
  expect((await scenario.cephbackup(prune)).code).toBe(0);
});

test('so is a temporary file of our own that has no room there, and nothing of it stays', async () => {
  const parts = Array.from({ length: 4 }, () => Buffer.alloc(512 * 1024, 1));
  expect(() => writeUnnamedFile(full, parts)).toThrow(
    expect.objectContaining({ code: 'TEMPORARY_FULL', message: expect.stringContaining(full) }),
  );
  expect(await readdir(full)).toEqual([]);
  writeUnnamedFile(full, [Buffer.alloc(512 * 1024)]).close();
});
