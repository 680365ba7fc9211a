import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { Scope } from '../../lib/ownership/scope.js';
import { silent } from '../../lib/log/logger.js';
import { resolveProgram } from '../../lib/tools/process/launch.js';
import type { Rbd } from '../../lib/tools/rbd/images.js';
import { takeOwnSnapshot } from '../../lib/volumes/rbd/own-snapshot.js';
import { searchPath } from '../../sandbox/tools.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { FaultyPrograms } from '../support/faults.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claim: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create();
  claim = await scenario.claim('data', { format: 'none', volumeMode: 'Block' });
});

// Real Ceph: an rbd that is killed while it watches an image leaves its watch for half a minute.
test('SIGTERM while a snapshot is being made: the command comes to its end, and no watch stays', async () => {
  const before = await scenario.world();
  // Holds the image's lock: who wants to change the image has to ask it.
  const writing = ['bench', '--io-type', 'write', '--io-size', '4K', '--io-threads', '1', '--io-total', '1T'];
  const holder = spawn('rbd', [...writing, claim.image], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...scenario.cluster.env },
  });
  await once(holder.stdout, 'data');
  const folder = await temporaryFolder('asks-the-owner');
  const rbd = resolveProgram('rbd', searchPath());
  const stopsOwner = `case "$*" in *"snap create"*) kill -STOP ${holder.pid ?? 0} ;; esac`;
  await writeFile(path.join(folder, 'rbd'), `#!/bin/sh\n${stopsOwner}\nexec ${rbd} "$@"\n`, { mode: 0o755 });
  const running = scenario.start(['run', '-o', 'json'], { env: { PATH: `${folder}:${searchPath()}` } });
  const watchers = async () =>
    (await scenario.cluster.run('rbd', ['status', claim.image])).split('watcher=').length - 1;
  // The owner, and the command that waits for it.
  while ((await watchers()) < 2) await sleep(100);
  running.kill('SIGTERM');
  await sleep(1_000);
  holder.kill('SIGCONT');
  const { code, json } = await running.result;
  expect({ code, json }).toMatchObject({ code: 143, json: { exitCode: 143, leftovers: [] } });
  holder.kill('SIGTERM');
  await once(holder, 'close');
  await expectCleanWorld(before, scenario.worldScope, 5_000);
});

test('what gives up the moment of a snapshot removes nothing before the snapshot is there, or is not', async () => {
  const calls: string[] = [];
  let made: (attempts: number) => void = () => undefined;
  const rbd = {
    snapshots: {
      create: () => new Promise<number>((resolve) => (made = resolve)).finally(() => calls.push('made')),
      remove: () => Promise.resolve(calls.push('removed') > 0),
    },
  } as unknown as Rbd;
  const scope = new Scope('node', silent);
  const taken = takeOwnSnapshot(
    {
      scope,
      name: 'cephbackup-0-0-0',
      step: () => undefined,
      takeSnapshot: (ask) => {
        void ask(() => 0, new AbortController().signal);
        return Promise.reject(new Error('given up'));
      },
    },
    { rbd, image: { pool: 'p', namespace: null, image: 'i' }, cluster: null },
  );
  await expect(taken).rejects.toThrow('given up');
  const released = scope.release();
  await sleep(50);
  expect(calls).toEqual([]);
  made(1);
  expect(await released).toEqual([]);
  expect(calls).toEqual(['made', 'removed']);
});

// A volume that hangs while it is undone takes all the time that there is for undoing: 120 s.
test('what is proven when the run is told to end is recorded at once, whatever hangs then', async () => {
  const other = await scenario.claim('other', { format: 'none', volumeMode: 'Block' });
  const faults = new FaultyPrograms(
    [{ program: 'rbd', when: `*snap rm*${other.image}*`, mode: 'hang' }],
    searchPath(),
  );
  const running = scenario.start(['run', '-o', 'json'], { env: { PATH: faults.path } });
  const marked = async () => (await scenario.annotations(claim))['last-snapshot'];
  const old = await marked();
  while ((await marked()) === old || faults.hits === 0) await sleep(100);
  const id = (await marked()) ?? '';
  running.kill('SIGTERM');
  const recorded = async () => {
    const records = await scenario.repository.restic('snapshots', '--tag', 'kind=proofs', '--json');
    return records.includes(`proven ${id} `);
  };
  const end = performance.now() + 100_000;
  while (!(await recorded()) && performance.now() < end) await sleep(500);
  expect(await recorded()).toBe(true);
  running.kill('SIGKILL');
  expect((await running.result).signal).toBe('SIGKILL');
  faults.remove();
}, 300_000);
