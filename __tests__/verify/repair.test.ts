import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import type { VerifyReport } from '../../lib/verify/report.js';

const MiB = 1024 * 1024;

let scenario: Scenario;
let files: SeededClaim;
let disk: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create();
  files = await scenario.claim('files', {
    fill: (root) => writeFile(path.join(root, 'data'), randomBytesOf(1, 5 * MiB)),
  });
  disk = await scenario.claim('disk', {
    volumeMode: 'Block',
    fill: (root) => writeFile(path.join(root, 'data'), randomBytesOf(2, MiB)),
  });
});

async function verify(): Promise<{ code: number | null; report: VerifyReport }> {
  const { code, json } = await scenario.cephbackup(['verify', '-o', 'json']);
  return { code, report: json as VerifyReport };
}

/** The largest pack: data of the claim `files`. */
async function largestPack(): Promise<string> {
  const root = path.join(scenario.repository.env.RESTIC_REPOSITORY, 'data');
  const found = (await readdir(root, { recursive: true })).map((name) => path.join(root, name));
  const sizes = await Promise.all(found.map(async (file) => ({ file, info: await stat(file) })));
  const [largest] = sizes.filter(({ info }) => info.isFile()).toSorted((a, b) => b.info.size - a.info.size);
  return largest?.file ?? '';
}

test('what verify says to do about a lost pack mends it, older backups included', async () => {
  expect((await scenario.run()).code).toBe(0);
  const sound = await verify();
  expect(sound).toMatchObject({ code: 0, report: { damage: [] } });
  expect(sound.report.claims.map(({ outcome }) => outcome)).toEqual(['verified', 'verified']);
  for (const claim of [files, disk]) {
    expect(await scenario.annotations(claim)).toHaveProperty('last-verified');
  }

  const pack = await largestPack();
  await rm(pack);
  const damaged = await verify();
  expect(damaged.code).toBe(1);
  const [first] = await scenario.snapshots(files);
  expect(damaged.report.damage).toMatchObject([
    { object: 'pack', id: path.basename(pack), claims: [{ pvc: 'files', snapshots: [first?.id] }] },
  ]);
  expect(damaged.report.claims.find(({ pvc }) => pvc === 'disk')?.outcome).toBe('verified');

  const [command = ''] = /restic repair index/.exec(damaged.report.damage[0]?.guidance ?? '') ?? [];
  await scenario.repository.restic(...command.split(' ').slice(1));
  const rerun = await scenario.run();
  expect(rerun.code).toBe(0);
  expect(rerun.volume(files).warnings.join()).toContain('stored again');
  expect(await verify()).toMatchObject({ code: 0, report: { damage: [] } });
  await scenario.repository.restic('dump', '--no-cache', first?.id ?? '', '/data', '--target', '/dev/null');
});
