import { beforeAll, expect, test } from '@jest/globals';
import { searchPath } from '../../sandbox/tools.js';
import { FaultyPrograms } from '../support/faults.js';
import { Scenario } from '../support/scenario.js';

const volumes = 10;
/** The program's version, all snapshots, the manifests, the record of the proofs, and a first proof. */
const restics = 5;

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create();
  for (let number = 0; number < volumes; number += 1)
    await scenario.claim(`disk-${number}`, { volumeMode: 'Block', format: 'none', size: '4M' });
});

test('small volumes take hardly more restic processes than there are volumes, since many are proven at once', async () => {
  const programs = new FaultyPrograms([], searchPath(), ['restic', 'rbd']);
  const report = await scenario.run({ programs });
  expect(report.volumes.map(({ outcome }) => outcome)).toEqual(Array(volumes).fill('succeeded'));
  const calls = programs.calls().filter((call) => call.startsWith('restic '));
  expect(calls.filter((call) => call.startsWith('restic backup')).length).toBeGreaterThanOrEqual(volumes);
  expect(calls.length).toBeLessThanOrEqual(1.2 * volumes + restics);
});
