import { beforeAll, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claim: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  claim = await scenario.claim('disk', { format: 'none', volumeMode: 'Block' });
});

test.each([6 * 60_000, -6 * 60_000])(
  'an API whose clock differs by %i ms: exit 3, nothing is touched',
  async (skew) => {
    const before = await scenario.world();
    scenario.faults.clockSkew = skew;
    const { code, json, stderr } = await scenario.cephbackup(['run', '-o', 'json']);
    scenario.faults.clockSkew = 0;
    expect(code).toBe(3);
    expect(json).toMatchObject({ error: { code: 'CLOCK_WRONG' } });
    expect(stderr).toContain('for the Kubernetes API');
    expect(await scenario.repository.snapshots()).toEqual([]);
    expect(await scenario.annotations(claim)).toEqual({});
    const lease = await scenario.kube.request(
      'GET',
      '/apis/coordination.k8s.io/v1/namespaces/default/leases/cephbackup',
    );
    expect(lease.status).toBe(404);
    await expectCleanWorld(before, scenario.worldScope, 0);
  },
);

test('by a minute: a warning; a claim whose newest snapshot is hours ahead fails, and its neighbours do not', async () => {
  const ahead = await scenario.claim('ahead', { format: 'none', volumeMode: 'Block' });
  const time = new Date(Date.now() + 2 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
  const file = path.join(await temporaryFolder('future'), 'file');
  await writeFile(file, 'x');
  const tags = `cluster=${await scenario.clusterUid()},uid=${ahead.uid}`;
  await scenario.repository.restic('backup', '--tag', tags, '--time', time, file);
  scenario.faults.clockSkew = 60_000;
  const report = await scenario.run();
  scenario.faults.clockSkew = 0;
  expect(report.code).toBe(1);
  expect(report.warnings.join()).toContain('for the Kubernetes API');
  expect(report.volume(claim).outcome).toBe('succeeded');
  expect(report.volume(ahead)).toMatchObject({
    outcome: 'failed',
    error: { code: 'SNAPSHOT_IN_FUTURE', guidance: expect.stringContaining('restic forget') },
  });
  expect(report.leftovers).toEqual([]);
});
