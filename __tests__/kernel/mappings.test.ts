import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { mountImage, writeFilesystem } from '../../sandbox/ceph.js';
import { startInGuest } from '../../sandbox/vm/guest.js';
import { Scenario, type RunOptions, type SeededClaim } from '../support/scenario.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';
import { expectSameTree } from '../support/tree.js';
import { expectCleanWorld } from '../support/world.js';
import { Node } from './node.js';

let scenario: Scenario;
let node: Node;
let data: SeededClaim;
let xfs: SeededClaim;
let features: SeededClaim;

const fill = (root: string) => writeFile(path.join(root, 'f'), 'data');

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  node = new Node(scenario.cluster);
  [data, xfs, features] = await Promise.all([
    scenario.claim('data', { fill }),
    scenario.claim('xfs', { format: 'xfs', fsType: 'xfs', size: '400M', fill }),
    claimWithFeatures(),
  ]);
}, 300_000);

/** A claim whose image has what the kernel has never heard of, or cannot write. */
async function claimWithFeatures(): Promise<SeededClaim> {
  const image = `${scenario.place}/csi-vol-features`;
  const all = 'layering,exclusive-lock,object-map,fast-diff,deep-flatten,journaling';
  const striped = ['--stripe-unit', '65536', '--stripe-count', '4'];
  await scenario.cluster.createImage(image, '64M', ['--image-feature', all, ...striped]);
  await writeFilesystem(scenario.cluster, image, 'ext4', fill);
  return scenario.claim('features', { image });
}

/** One run of one claim by default, with the options that users have by default. */
function run(options: RunOptions & { args?: readonly string[] } = {}, claim: SeededClaim | null = data) {
  const only = claim === null ? [] : ['--pvc', `${claim.namespace}/${claim.name}`];
  return scenario.run({
    ...options,
    args: [...only, ...(options.args ?? [])],
  });
}

/** Names of the images of ours that the node maps. */
async function mappings(): Promise<string[]> {
  const listed = JSON.parse(await node.run('rbd device list --format json')) as { name: string }[];
  return listed.map(({ name }) => name).filter((name) => name.startsWith('cephbackup-'));
}

/** Starts a run and returns when `data` is mounted and restic would read it, which takes for ever. */
async function startHanging(options: RunOptions & { args?: readonly string[] } = {}) {
  const args = ['run', '-o', 'json', '--pvc', 'demo/data', ...(options.args ?? [])];
  const faults = [{ program: 'restic', when: 'backup*pvc=data*', mode: 'hang' as const }];
  const running = scenario.start(args, { faults, ...options });
  await running.said('backing up');
  await sleep(2000);
  return running;
}

test.each(['krbd', 'nbd'])(
  '%s: several claims at once, some mapped and mounted by pods of this node, whatever features they have',
  async (mapper) => {
    const pods = [await node.useImage(xfs.image, 'xfs', 'echo live >live')];
    const readOnly = await node.run('rbd device map --read-only -o noudev "$1"', data.image);
    const before = await scenario.world();
    const report = await run({ env: { CEPHBACKUP_MAPPER: mapper } }, null);
    await expectCleanWorld(before, scenario.worldScope);
    for (const pod of pods) await pod.letGo();
    await node.run('rbd device unmap -o noudev "$1"', readOnly);
    expect(report).toMatchObject({ code: 0, leftovers: [], warnings: [] });
    for (const claim of [data, xfs, features]) {
      expect(report.volume(claim)).toMatchObject({ error: null, warnings: [] });
      const original = await mountImage(scenario.cluster, claim.image, claim === xfs ? 'xfs' : 'ext4');
      const restored = await temporaryFolder('restored');
      try {
        await scenario.repository.restore(report.volume(claim).snapshot ?? '', restored);
        await expectSameTree(original.path, restored);
      } finally {
        await original.unmount();
      }
    }
  },
  400_000,
);

/** From Ceph 17 on the kernel keeps the device of an rbd-nbd that has died, and no run takes it away. */
const unmapDeadDevices = `for file in /sys/block/nbd*/pid; do
  [ ! -e "$file" ] || rbd-nbd unmap "/dev/$(basename "$(dirname "$file")")"; done`;

test.each(['krbd', 'nbd'])(
  '%s: what a run left that was killed while it had a volume mapped and mounted goes with the next run',
  async (mapper) => {
    const before = await scenario.world();
    const killed = await startHanging({ env: { CEPHBACKUP_MAPPER: mapper } });
    killed.kill('SIGKILL');
    await killed.result;
    if (mapper === 'krbd') expect(await mappings()).toHaveLength(1);
    await scenario.expireLease();
    // A dead client's watch lasts for 30 s.
    if (mapper === 'nbd') await Promise.all([sleep(35_000), node.run(unmapDeadDevices)]);
    const report = await run();
    expect(report).toMatchObject({ code: 0, leftovers: [] });
    expect(await mappings()).toEqual([]);
    await expectCleanWorld(before, scenario.worldScope, 40_000);
  },
  400_000,
);

/** Does something with the device of the run's clone, as `$device`, as soon as there is one. */
function withDevice(script: string) {
  const wait = `
    until name=$(grep -l '^cephbackup-' /sys/bus/rbd/devices/*/name); do sleep 0.1; done 2>/dev/null
    id=\${name%/name}; device=/dev/rbd\${id##*/}; `;
  return startInGuest('bash', ['-c', wait + script], { env: { PATH: process.env.PATH ?? '' } });
}

describe('a device that somebody else has open', () => {
  const hold = 'exec 3<"$device"; exec sleep infinity';

  test('is unmapped when it is free again', async () => {
    const holder = withDevice(hold);
    const before = await scenario.world();
    const faults = [{ program: 'restic', when: 'cat*', mode: 'delay' as const }];
    const running = scenario.start(['run', '-o', 'json', '--pvc', 'demo/data'], { faults });
    await running.said('unwinding');
    await sleep(6000);
    holder.kill('SIGKILL');
    const { code, json } = await running.result;
    expect(json).toMatchObject({ leftovers: [] });
    expect(code).toBe(0);
    await expectCleanWorld(before, scenario.worldScope);
  }, 300_000);

  test('stays mapped, and with it clone and snapshot, all named; the next run removes them', async () => {
    const before = await scenario.world();
    const holder = withDevice(hold);
    const report = await run();
    expect(report.code).toBe(5);
    expect(report.volume(data)).toMatchObject({ error: null });
    expect(report.leftovers.map(({ kind }) => kind)).toEqual(['mapping', 'clone', 'snapshot']);
    expect(report.leftovers[0]?.reason).toContain('busy');
    expect(report.leftovers[0]?.reason).toMatch(/held by process \d+ \(sleep\)/);
    expect(await mappings()).toHaveLength(1);
    holder.kill('SIGKILL');
    await sleep(1000);
    expect(await run()).toMatchObject({ code: 0, leftovers: [] });
    await expectCleanWorld(before, scenario.worldScope);
  }, 400_000);
});

test('a container whose /dev has no device of the host', async () => {
  const script = `mount -t tmpfs tmpfs /dev
    mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/urandom c 1 9; exec "$@"`;
  const under = ['unshare', '--mount', '--', 'bash', '-ec', script, 'bash'];
  const before = await scenario.world();
  const report = await run({ under });
  expect(report.volume(data)).toMatchObject({ error: null });
  expect(report).toMatchObject({ code: 0, leftovers: [] });
  await expectCleanWorld(before, scenario.worldScope);
}, 300_000);

test('a clone that the kernel does not map is an error that says why', async () => {
  const folder = await temporaryFolder('features');
  const lines = [
    '#!/bin/bash',
    'exec /usr/bin/rbd "${@/#layering,exclusive-lock/layering,exclusive-lock,journaling}"',
  ];
  await writeFile(path.join(folder, 'rbd'), `${lines.join('\n')}\n`);
  await chmod(path.join(folder, 'rbd'), 0o755);
  const before = await scenario.world();
  const { PATH: search } = scenario.environment();
  const report = await run({ env: { PATH: `${folder}:${search ?? process.env.PATH ?? ''}` } });
  const { error } = report.volume(data);
  expect(error?.code).toBe('MAP_FAILED');
  expect(error?.message).toContain('feature');
  expect(report).toMatchObject({ code: 1, leftovers: [] });
  await expectCleanWorld(before, scenario.worldScope);
}, 300_000);

test('a Ceph that stops answering: the run ends, names what is stuck, and a later run removes it', async () => {
  const before = await scenario.world();
  const running = await startHanging({ args: ['--volume-timeout', '20s'] });
  const osds = await daemons('ceph-osd');
  atEnd(() => signal(osds, 'SIGCONT'));
  await signal(osds, 'SIGSTOP');
  // Somebody reads the device, and waits for ever.
  const reader = withDevice('exec dd if="$device" of=/dev/null iflag=direct bs=4M');
  const { code, json } = await running.result;
  expect(code).toBe(1);
  expect(json).toMatchObject({ volumes: [{ outcome: 'failed', error: { code: 'VOLUME_TIMEOUT' } }] });
  const { leftovers } = json as { leftovers: { kind: string }[] };
  expect(leftovers.map(({ kind }) => kind)).toEqual(['mapping', 'clone', 'snapshot']);
  await signal(osds, 'SIGCONT');
  reader.kill('SIGKILL');
  await sleep(5000);
  expect(await run()).toMatchObject({ code: 0, leftovers: [] });
  await expectCleanWorld(before, scenario.worldScope, 40_000);
}, 900_000);

/** Ids of the daemons of this Ceph, which run on this host. */
async function daemons(program: string): Promise<number[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    ids.map(async (id) => {
      const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
      const environment = await readFile(`/proc/${id}/environ`, 'utf8').catch(() => '');
      const ours = environment.includes(`CEPH_CONF=${scenario.cluster.conf}\0`);
      return command.startsWith(`${program}\0`) && ours ? [Number(id)] : [];
    }),
  );
  return found.flat();
}

function signal(ids: readonly number[], name: NodeJS.Signals): Promise<void> {
  for (const id of ids) process.kill(id, name);
  return Promise.resolve();
}
