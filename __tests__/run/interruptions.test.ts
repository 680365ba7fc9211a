import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Fault } from '../support/faults.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claim: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create();
  claim = await scenario.claim('data', { fill: (root) => writeFile(path.join(root, 'f'), 'data') });
}, 120_000);

/** Each external command of a run, as a moment at which something may happen. */
const moments: [string, Omit<Fault, 'mode'>][] = [
  ['the snapshot', { program: 'rbd', when: '*snap create*' }],
  ['the clone', { program: 'rbd', when: '*clone*' }],
  ['the probe of the filesystem', { program: 'od', when: '*' }],
  ['the check of the filesystem', { program: 'e2fsck', when: '*' }],
  ['the mount', { program: 'mount', when: '*-t ext4*' }],
  ['the backup', { program: 'restic', when: 'backup*kind=rbd-filesystem*' }],
  ['the proof', { program: 'restic', when: 'cat snapshot*' }],
  ['the unmount', { program: 'umount', when: '*' }],
  ['the removal of the clone', { program: 'rbd', when: '*rm --no-progress*' }],
  ['the removal of the snapshot', { program: 'rbd', when: '*snap rm*' }],
];

/** The run after a fault must end as if there had been none. */
async function expectRecovery(before: Awaited<ReturnType<Scenario['world']>>): Promise<void> {
  await scenario.expireLease();
  const report = await scenario.run();
  expect(report.code).toBe(0);
  expect(report.leftovers).toEqual([]);
  await expectCleanWorld(before, scenario.worldScope, 10_000);
}

describe.each(moments)('at %s', (_, moment) => {
  test('SIGTERM: no new work, everything undone, 143', async () => {
    const before = await scenario.world();
    const report = await scenario.run({ faults: [{ ...moment, mode: 'term' }] });
    expect(report.code).toBe(143);
    expect(report.exitCode).toBe(143);
    await expectCleanWorld(before, scenario.worldScope, 40_000);
    expect(await scenario.repository.locks()).toEqual([]);
  }, 120_000);

  test('SIGKILL: no child lives on, no mark, and the next run removes what was left', async () => {
    const before = await scenario.world();
    const marks = await scenario.annotations(claim);
    const killed = await scenario.cephbackup(['run', '-o', 'json'], {
      faults: [{ ...moment, mode: 'kill-before' }],
    });
    expect(killed.signal).toBe('SIGKILL');
    expect(await scenario.annotations(claim)).toEqual(marks);
    // A dead client's watch on the clone lasts for 30 s.
    await waitForWatches();
    await expectRecovery(before);
  }, 180_000);
});

describe.each(moments)('%s', (_, moment) => {
  test('fails without effect', async () => {
    const before = await scenario.world();
    const report = await scenario.run({ faults: [{ ...moment, mode: 'fail', exitCode: 5 }] });
    expectHonest(report);
    if (report.leftovers.length === 0) await expectCleanWorld(before, scenario.worldScope, 5_000);
    await expectRecovery(before);
  }, 120_000);
});

test('a command that hangs ends at the volume’s deadline, with all that it started', async () => {
  const before = await scenario.world();
  const report = await scenario.run({
    faults: [{ program: 'e2fsck', when: '*', mode: 'hang' }],
    args: ['--volume-timeout', '5s'],
  });
  expect(report.code).toBe(1);
  expect(report.volume(claim).error?.code).toBe('VOLUME_TIMEOUT');
  await expectCleanWorld(before, scenario.worldScope, 10_000);
}, 60_000);

/** Exit 0 only with a snapshot of this run; else the mark has not moved. */
function expectHonest(report: Awaited<ReturnType<Scenario['run']>>): void {
  const { outcome, snapshot, error } = report.volume(claim);
  if (outcome === 'failed') {
    expect(report.code).toBe(1);
    expect(snapshot).toBeNull();
    expect(error).not.toBeNull();
  } else {
    expect(snapshot).toMatch(/^[0-9a-f]{64}$/);
    expect(report.code).toBe(report.leftovers.length > 0 ? 5 : 0);
  }
}

async function waitForWatches(): Promise<void> {
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    const world = await scenario.world();
    if (![...world].some((line) => line.startsWith('watcher'))) return;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  throw new Error('a watch outlived its client by more than 60 s');
}
