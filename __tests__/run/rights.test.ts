import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { rulesWithout } from '../doctor/bed.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claims: SeededClaim[];

/** Where KUBEBUILDER_ASSETS names one, a real API server judges the rights. */
beforeAll(async () => {
  scenario = await Scenario.create();
  claims = await Promise.all([
    scenario.claim('files', { fill: (root) => writeFile(path.join(root, 'f'), 'data') }),
    scenario.claim('disk', { format: 'none', volumeMode: 'Block' }),
  ]);
});

/** Which snapshot each claim has got, and what became of its mark. */
const ends = (report: Awaited<ReturnType<Scenario['run']>>) =>
  claims.map((claim) => {
    const { outcome, snapshot, error } = report.volume(claim);
    return { outcome, snapshot, error: error?.code ?? null };
  });

test('an account that may not patch volumes: exit 3 with the ids, and the next run makes new snapshots', async () => {
  const KUBECONFIG = await scenario.kube.account('no-patch', rulesWithout('patch persistentvolumes'));
  const before = await scenario.world();
  const unmarked = await scenario.run({ env: { KUBECONFIG } });
  expect([unmarked.code, unmarked.exitCode]).toEqual([3, 3]);
  expect(unmarked.leftovers).toEqual([]);
  await expectCleanWorld(before, scenario.worldScope);
  const first = ends(unmarked);
  for (const [index, claim] of claims.entries()) {
    const [saved, ...others] = await scenario.snapshots(claim);
    expect(first[index]).toEqual({ outcome: 'succeeded', snapshot: saved?.id, error: 'PV_NOT_MARKED' });
    expect(others).toEqual([]);
    expect(unmarked.volume(claim).error?.message).toContain('not allowed to patch persistentvolumes');
    expect(await scenario.annotations(claim)).toEqual({});
  }

  const next = await scenario.run();
  expect(next.code).toBe(0);
  const second = ends(next);
  for (const [index, claim] of claims.entries()) {
    const ids = (await scenario.snapshots(claim)).map(({ id }) => id);
    expect(ids).toEqual([first[index]?.snapshot, second[index]?.snapshot]);
    expect(await scenario.annotations(claim)).toMatchObject({ 'last-snapshot': second[index]?.snapshot });
  }
});
