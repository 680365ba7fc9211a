import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { forgeLock } from '../../sandbox/forge.js';
import { RestServer } from '../support/rest-server.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claims: SeededClaim[];
const minuteMs = 60_000;
const prune = { host: 'cephbackup-prune-29405123', pid: 7, exclusive: true };

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  const fill = (root: string) => writeFile(path.join(root, 'f'), 'data');
  claims = [await scenario.claim('one', { fill }), await scenario.claim('two', { fill })];
  expect((await scenario.run()).code).toBe(0);
});
afterEach(() => scenario.repository.restic('unlock', '--remove-all'));

test('a prune that was killed is named with its age and what to do; no backup unlocks; `prune --unlock-stale` does, and the next run is well', async () => {
  const before = await scenario.world();
  await forgeLock(scenario.repository, { ...prune, ageMs: 41 * minuteMs });
  const report = await scenario.run({ args: ['--retry-lock', '1s', '--patience', '1s'] });
  expect(report.code).toBe(3);
  expect(report.error).toMatchObject({
    code: 'REPOSITORY_LOCKED',
    message: expect.stringMatching(
      /locked exclusively by process 7 on cephbackup-prune-29405123; its last sign of life was at 20\S+Z, 41 min ago/,
    ) as unknown,
    guidance: expect.stringContaining(
      'it is dead: remove its lock with `restic unlock` on a machine that is not named cephbackup-prune-29405123',
    ) as unknown,
  });
  expect(report.volumes.map(({ snapshot }) => snapshot)).toEqual([null, null]);
  expect(await scenario.repository.locks()).toHaveLength(1);
  await expectCleanWorld(before, scenario.worldScope);
  const pruned = await scenario.cephbackup(['prune', '--keep-last', '5', '--unlock-stale', '-o', 'json']);
  expect([pruned.code, await scenario.repository.locks()]).toEqual([0, []]);
  const after = await scenario.run();
  expect(after.volumes.map(({ outcome }) => outcome)).toEqual(['unchanged', 'unchanged']);
  expect(after.code).toBe(0);
});

test('a prune that goes on when the next run begins is waited for', async () => {
  const server = await RestServer.start(scenario.repository.env.RESTIC_REPOSITORY);
  const lock = await forgeLock(scenario.repository, { ...prune, ageMs: 0 });
  let metMs: number | null = null;
  // restic that may not wait reads it some more times at once; one that waits, after 5 s.
  server.onAnswered = ({ method, type }) => {
    if (method !== 'GET' || type !== 'locks') return;
    metMs ??= performance.now();
    if (performance.now() - metMs > 3_000) rmSync(lock, { force: true });
  };
  // Without patience nobody waits but restic itself.
  const env = { RESTIC_REPOSITORY: server.repository };
  const report = await scenario.run({ args: ['--patience', '0s'], env });
  expect(metMs).not.toBeNull();
  expect(report.volumes.map(({ outcome }) => outcome)).toEqual(['unchanged', 'unchanged']);
  expect(report.code).toBe(0);
});

test('a lock that restic could not renew in time is told by that reason, and the volume is read again', async () => {
  const before = await scenario.world();
  const lost = {
    program: 'restic',
    when: '*backup *-- .',
    mode: 'fail' as const,
    exitCode: 1,
    stderr: [
      'Fatal: failed to refresh lock in time',
      JSON.stringify({
        message_type: 'exit_error',
        code: 1,
        message: 'Fatal: unable to save snapshot: context canceled',
      }),
    ].join('\n'),
  };
  const [first] = claims;
  const only = ['--pvc', `${first?.namespace}/${first?.name}`];
  const once = await scenario.run({ args: only, faults: [{ ...lost, once: true }] });
  expect(once.volumes).toMatchObject([{ outcome: 'unchanged', error: null }]);
  expect(once.volumes[0]?.warnings.join()).toContain('could not renew its lock in time');
  expect(once.code).toBe(0);
  // restic may have saved its snapshot at that very moment.
  const saved = await scenario.run({ args: only, faults: [{ ...lost, mode: 'fail-unsaid', once: true }] });
  expect(saved.volumes).toMatchObject([{ outcome: 'unchanged', error: null }]);
  expect(saved.leftovers).toMatchObject([{ kind: 'restic-snapshot' }]);
  expect(saved.leftovers.map(({ name }) => name)).not.toContain(saved.volumes[0]?.snapshot);
  expect(saved.code).toBe(5);
  const always = await scenario.run({ args: [...only, '--patience', '1s'], faults: [lost] });
  expect(always.volumes).toMatchObject([
    { outcome: 'failed', error: { message: expect.stringContaining('could not renew its lock in time') } },
  ]);
  expect(always.leftovers).toEqual([]);
  await expectCleanWorld(before, scenario.worldScope);
});

test('what restic saved although data of its parent was missing is named, and the volume is read again', async () => {
  const before = await scenario.world();
  const incomplete = {
    program: 'restic',
    when: '*backup *-- .',
    mode: 'fail-unsaid' as const,
    exitCode: 3,
    once: true,
    stderr: JSON.stringify({
      message_type: 'error',
      error: { message: 'the parent of f was not found in the repository index; storing the file again' },
      during: 'archival',
      item: '/f',
    }),
  };
  const [first] = claims;
  const only = ['--pvc', `${first?.namespace}/${first?.name}`];
  const report = await scenario.run({ args: only, faults: [incomplete] });
  expect(report.volumes).toMatchObject([{ outcome: 'unchanged', error: null }]);
  expect(report.volumes[0]?.warnings.join()).toContain('data of the previous backup is missing');
  expect(report.leftovers).toMatchObject([
    { kind: 'restic-snapshot', reason: expect.stringContaining('data of its parent') },
  ]);
  expect(report.leftovers[0]?.name).not.toBe(report.volumes[0]?.snapshot);
  expect(report.code).toBe(5);
  await expectCleanWorld(before, scenario.worldScope);
});
