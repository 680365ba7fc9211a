import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { rfc3339 } from '../../lib/log/time.js';
import { runningPod } from '../../sandbox/kube/pod.js';
import { mountImage } from '../../sandbox/ceph.js';
import { waitFor } from '../../sandbox/process.js';
import { prefix, Scenario, type SeededClaim } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let folder: string;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  folder = await temporaryFolder('hooks');
});

/** A pod whose commands run in a folder of their own; it writes what it did into `log`. */
async function pod(name: string, claims: string[], hooks: Record<string, string>): Promise<string> {
  const own = path.join(folder, name);
  await mkdir(own);
  await writeFile(path.join(own, 'log'), '');
  const annotations = Object.entries(hooks).map(([key, value]) => [`${prefix}/${key}`, value]);
  const all = { 'sandbox/folder': own, ...(Object.fromEntries(annotations) as Record<string, string>) };
  await scenario.kube.seed([runningPod({ namespace: 'demo', name }, claims, all)]);
  return path.join(own, 'log');
}

const noted = { 'pre-snapshot': 'echo pre >> log', 'post-snapshot': 'echo post >> log' };
const run = (claims: SeededClaim[], ...args: string[]) =>
  scenario.run({ args: [...claims.flatMap(({ name }) => ['--pvc', `demo/${name}`]), ...args] });
const lines = async (log: string) => (await readFile(log, 'utf8')).split('\n').filter((line) => line !== '');
const times = async (claim: SeededClaim) =>
  (await scenario.snapshots(claim)).map(({ time }) => Date.parse(time));

test('a snapshot has what an application wrote when it was told to stand still, and it goes on afterwards', async () => {
  const claim = await scenario.claim('held');
  const mounted = await mountImage(scenario.cluster, claim.image, 'ext4');
  try {
    const state = path.join(mounted.path, 'state');
    const say = (word: string) =>
      `echo ${word} > '${state}' && sync -f '${state}' && echo ${word} >> log && echo said`;
    const log = await pod('app', ['held'], { 'pre-snapshot': say('still'), 'post-snapshot': say('moving') });
    await writeFile(state, 'moving');
    const report = await run([claim], '--hooks');
    expect(report.volume(claim)).toMatchObject({ outcome: 'succeeded', warnings: [], error: null });
    expect(report.volume(claim).heldSeconds).toBeGreaterThan(0);
    expect(await lines(log)).toEqual(['still', 'moving']);
    expect(await readFile(state, 'utf8')).toBe('moving\n');
    const id = report.volume(claim).snapshot ?? '';
    expect(await scenario.repository.restic('dump', id, '/state')).toBe('still\n');
    expect(report.stderr).toMatch(/hook: said/);
  } finally {
    await mounted.unmount();
  }
});

test('without --hooks nobody is held, and that is told', async () => {
  const claim = await scenario.claim('unhooked');
  const log = await pod('unhooked', ['unhooked'], noted);
  const report = await run([claim]);
  expect(report.volume(claim)).toMatchObject({ outcome: 'succeeded', heldSeconds: null });
  expect(report.warnings).toEqual([expect.stringMatching(/^pod\/demo\/unhooked: its hooks are not run/)]);
  expect(await lines(log)).toEqual([]);
});

test('a hook that fails: nothing is saved, nothing is left, and what a tenant wrote reaches no event', async () => {
  const claim = await scenario.claim('failing');
  const log = await pod('failing', ['failing'], {
    ...noted,
    'pre-snapshot': 'echo pre >> log; echo SECRET; exit 3',
  });
  const before = await scenario.world();
  const report = await run([claim], '--hooks');
  expect(report.code).toBe(1);
  expect(report.volume(claim)).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: {
      code: 'HOOK_FAILED',
      message: 'the pre-snapshot hook of pod demo/failing failed: it ended with exit code 3',
    },
  });
  // Until its post had ended.
  expect(report.volume(claim).heldSeconds).toBeGreaterThan(0);
  expect(await lines(log)).toEqual(['pre', 'post']);
  expect(await scenario.snapshots(claim)).toEqual([]);
  await expectCleanWorld(before, scenario.worldScope, 40_000);
  const [event] = await scenario.events(claim);
  expect(event?.message).toContain('HOOK_FAILED');
  expect(event?.message).not.toContain('SECRET');
});

test('an API that goes away while an application is held: it is let go when the API is back', async () => {
  const claim = await scenario.claim('away');
  const log = await pod('away', ['away'], noted);
  const posts: unknown[] = [];
  scenario.faults.inject({
    mode: 'reset',
    times: 3,
    matches: ({ resource, body }) => {
      const post = resource === 'pods/exec' && JSON.stringify(body).includes('echo post');
      if (post) posts.push(body);
      return post;
    },
  });
  try {
    const report = await run([claim], '--hooks');
    expect(report.volume(claim)).toMatchObject({ outcome: 'succeeded', error: null });
    expect(posts.length).toBeGreaterThanOrEqual(3);
    expect(await lines(log)).toEqual(['pre', 'post']);
  } finally {
    scenario.faults.clear();
  }
});

test('a run that is told to end lets go whom it holds', async () => {
  await scenario.claim('stopped');
  const log = await pod('stopped', ['stopped'], { ...noted, 'pre-snapshot': 'echo pre >> log; sleep 20' });
  const running = scenario.start(['run', '-o', 'json', '--hooks', '--pvc', 'demo/stopped']);
  await waitFor('the pre', 60_000, async () => (await lines(log)).length === 1, 50);
  running.kill('SIGTERM');
  const result = await running.result;
  expect(result.code ?? result.signal).toBe(143);
  expect(await lines(log)).toEqual(['pre', 'post']);
  // A node does not end a command whose client is gone.
  expect(result.stderr).toMatch(
    /pre-snapshot hook of pod demo\/stopped was not waited for; it may still be running/,
  );
});

describe('a group', () => {
  test('has one moment, also where it has more members than volumes are read at a time', async () => {
    const names = ['one', 'two', 'three'];
    const annotations = { [`${prefix}/group`]: 'db' };
    const claims = await Promise.all(
      names.map((name, index) =>
        scenario.claim(`group-${name}`, {
          annotations,
          ...(index === 2 ? { volumeMode: 'Block' as const } : {}),
        }),
      ),
    );
    const log = await pod('group', ['group-one', 'group-two'], noted);
    const report = await run(claims, '--hooks', '--concurrency', '1');
    expect(claims.map((claim) => report.volume(claim).error)).toEqual([null, null, null]);
    // Both claims of the pod are held once.
    expect(await lines(log)).toEqual(['pre', 'post']);
    const all = await Promise.all(claims.map(times));
    expect(new Set(all.flat()).size).toBe(1);
    const held = claims.map((claim) => report.volume(claim).heldSeconds);
    expect(new Set(held).size).toBe(1);
    expect(held[0]).toBeGreaterThan(0);

    const target = path.join(folder, 'group-restored');
    const args = ['restore', '--group', 'demo/db', '--to-directory', target, '-o', 'json'];
    const restored = await scenario.cephbackup(args);
    expect({ code: restored.code, told: restored.code === 0 ? '' : restored.stderr }).toEqual({
      code: 0,
      told: '',
    });
    expect((await readdir(target)).toSorted()).toEqual(['group-one', 'group-three.qcow2', 'group-two']);
    const [time = NaN] = all.flat();
    expect(restored.json).toMatchObject({
      group: { namespace: 'demo', name: 'db' },
      time: rfc3339(time),
      members: [{ verified: true }, { verified: true }, { verified: true }],
      warnings: [],
    });
    const again = await scenario.cephbackup(args);
    expect(again).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    const none = await scenario.cephbackup([...args, '--as-of', '2020-01-01T00:00:00Z', '--force']);
    expect(none).toMatchObject({ code: 1, json: { error: { code: 'SNAPSHOT_NOT_FOUND' } } });
    const both = await scenario.cephbackup(['restore', 'demo/group-one', ...args.slice(1)]);
    expect(both.code).toBe(2);
  });

  test('fails whole where one member cannot be snapshotted', async () => {
    const annotations = { [`${prefix}/group`]: 'broken' };
    const whole = await scenario.claim('whole', { annotations });
    const gone = await scenario.claim('gone', { annotations, image: `${scenario.place}/no-such-image` });
    const log = await pod('broken', ['whole'], noted);
    const before = await scenario.world();
    const report = await run([whole, gone], '--hooks');
    expect(report.volume(gone).error?.code).toBe('IMAGE_NOT_FOUND');
    expect(report.volume(whole)).toMatchObject({
      outcome: 'failed',
      snapshot: null,
      error: { code: 'GROUP_FAILED' },
    });
    expect(report.volume(whole).error?.message).toContain('demo/gone of the same group');
    expect(await lines(log)).toEqual(['pre', 'post']);
    await expectCleanWorld(before, scenario.worldScope, 40_000);
  });
});
