import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { worldChanges, type World } from '../../sandbox/world.js';
import type { Fault, FaultMode } from '../support/faults.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claim: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  claim = await scenario.claim('data', { fill: (root) => writeFile(path.join(root, 'f'), 'data') });
});

const failures: FaultMode[] = ['fail', 'fail-after', 'lie', 'garbage'];

/** Each external command of a run, as a moment at which something may happen. */
const moments: [string, Omit<Fault, 'mode'>][] = [
  ['the snapshot', { program: 'rbd', when: '*snap create*' }],
  ['the clone', { program: 'rbd', when: '* clone *' }],
  ['the probe of the filesystem', { program: 'od', when: '*' }],
  ['the check of the filesystem', { program: 'e2fsck', when: '*' }],
  ['the mount', { program: 'mount', when: '*-t ext4*' }],
  ['the backup', { program: 'restic', when: 'backup*kind=rbd-filesystem*' }],
  ['the proof', { program: 'restic', when: 'cat snapshot*' }],
  ['the unmount', { program: 'umount', when: '*' }],
  ['the removal of the clone', { program: 'rbd', when: '* rm --rbd-move*' }],
  ['the removal of the snapshot', { program: 'rbd', when: '*snap rm*' }],
];

/** The run after all of these faults must end as if there had been none. */
async function expectRecovery(before: World): Promise<void> {
  await scenario.expireLease();
  const report = await scenario.run();
  expect(report.leftovers).toEqual([]);
  expect(report.code).toBe(0);
  await expectCleanWorld(before, scenario.worldScope, 10_000);
}

describe('SIGTERM: no new work, everything undone, 143', () => {
  test.each(moments)('at %s', async (_, moment) => {
    const before = await scenario.world();
    const report = await scenario.run({ faults: [{ ...moment, mode: 'term' }] });
    expect(report.code).toBe(143);
    expect(report.exitCode).toBe(143);
    expect(report.leftovers).toEqual([]);
    await expectCleanWorld(before, scenario.worldScope, 40_000);
    expect(await scenario.repository.locks()).toEqual([]);
  });
});

describe('SIGKILL: no child lives on, no mark', () => {
  let before: World;
  beforeAll(async () => {
    before = await scenario.world();
  });

  test.each(moments)('at %s', async (_, moment) => {
    const marks = await scenario.annotations(claim);
    const faults = [{ ...moment, mode: 'kill-before' as const }];
    const killed = await scenario.cephbackup(['run', '-o', 'json'], { faults });
    expect(killed.signal).toBe('SIGKILL');
    expect(await scenario.annotations(claim)).toEqual(marks);
    // Children, mounts and loop devices go with the program; only Ceph still holds something.
    await expectNothingOnThisNode(before);
    await scenario.expireLease();
  });

  test('a later run removes what all of them left, once the watches of the dead are gone', async () => {
    await waitForWatches();
    await expectRecovery(before);
  });
});

describe('SIGKILL just after what was asked for is done', () => {
  let before: World;
  beforeAll(async () => {
    before = await scenario.world();
  });

  test.each(moments.slice(0, 2))('at %s', async (_, moment) => {
    const faults = [{ ...moment, mode: 'kill-after' as const }];
    const killed = await scenario.cephbackup(['run', '-o', 'json'], { faults });
    expect(killed.signal).toBe('SIGKILL');
    await expectNothingOnThisNode(before);
    await expectRecovery(before);
  });
});

describe('a command fails', () => {
  let before: World;
  beforeAll(async () => {
    before = await scenario.world();
  });

  test.each(moments.flatMap(([name, moment]) => failures.map((mode) => [name, mode, moment] as const)))(
    '%s: %s',
    async (_, mode, moment) => {
      const report = await scenario.run({ faults: [{ ...moment, mode, exitCode: 5 }] });
      expectHonest(report);
      if (report.leftovers.length > 0) return;
      // What the run did is told where something is left that it does not name.
      await expectCleanWorld(before, scenario.worldScope, 5_000).catch((thrown: unknown) => {
        throw new Error(report.stderr, { cause: thrown });
      });
    },
  );

  test('and the next run ends as if nothing had', async () => {
    // On a busy machine a program may have been killed that was too slow to end.
    await waitForWatches();
    await expectRecovery(before);
  });
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
});

async function expectNothingOnThisNode(before: World): Promise<void> {
  const end = performance.now() + 5_000;
  for (;;) {
    const changes = worldChanges(before, await scenario.world()).filter(
      (line) => !/ (snapshot|image|watcher|file) /.test(line),
    );
    if (changes.length === 0) return;
    if (performance.now() > end) throw new Error(changes.join('\n'));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

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
