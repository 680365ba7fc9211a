import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createSubvolume, mountImage, writeFilesystem, type CephCluster } from '../../sandbox/ceph.js';
import { run } from '../../sandbox/process.js';
import { observeWorld, worldChanges, type World, type WorldScope } from '../../sandbox/world.js';
import { ceph, freshGroup, freshNamespace } from '../support/ceph.js';
import { attachLoopDevice, end } from '../support/loop-device.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';

let cluster: CephCluster;
let image: string;
let scope: WorldScope & { temporary: string };
let before: World;
const group = freshGroup();
const share = { filesystem: 'cephfs', group, name: 'share' };

beforeAll(async () => {
  cluster = await ceph();
  const namespace = await freshNamespace();
  image = `${namespace}/volume`;
  await cluster.createImage(image, '32M');
  await writeFilesystem(cluster, image, 'ext4', () => Promise.resolve());
  await createSubvolume(cluster, share);
  const shareGroups = [{ filesystem: 'cephfs', group }];
  scope = { cluster, imagePools: [namespace], shareGroups, temporary: await temporaryFolder() };
});
beforeEach(async () => {
  before = await observeWorld(scope);
});
const changes = async () => worldChanges(before, await observeWorld(scope));

/** Every kind of leftover is made once, to see that it is seen. */
describe('a world that is not as it was', () => {
  test('has a snapshot more', async () => {
    await cluster.rbd('snap', 'create', `${image}@left`, '--no-progress');
    expect(await changes()).toEqual([expect.stringMatching(/^\+ snapshot \d+ left of image rbd\/test-/)]);
    await cluster.rbd('snap', 'rm', `${image}@left`, '--no-progress');
    await expectCleanWorld(before, scope);
  });

  test('has a snapshot in the trash, kept by a clone', async () => {
    const clone = `${image}-clone`;
    await cluster.rbd('snap', 'create', `${image}@parent`, '--no-progress');
    await cluster.rbd('clone', '--rbd-default-clone-format', '2', `${image}@parent`, clone);
    await cluster.rbd('snap', 'rm', `${image}@parent`, '--no-progress');
    expect(await changes()).toEqual([
      expect.stringMatching(/^\+ snapshot \d+ \S+ \(trash\) of image rbd\/test-/),
      expect.stringMatching(/^\+ image rbd\/test-.*-clone$/),
    ]);
    await cluster.rbd('rm', clone, '--no-progress');
    await expectCleanWorld(before, scope);
  });

  test('has a trashed image', async () => {
    await cluster.createImage(`${image}-trashed`, '4M');
    await cluster.rbd('trash', 'mv', `${image}-trashed`);
    expect(await changes()).toEqual([expect.stringMatching(/^\+ trashed image rbd\/test-.*-trashed$/)]);
    await cluster.rbd('trash', 'purge', image.slice(0, image.lastIndexOf('/')), '--no-progress');
    await expectCleanWorld(before, scope);
  });

  test('has a watcher', async () => {
    const volume = await mountImage(cluster, image, 'ext4');
    expect(await changes()).toEqual([expect.stringMatching(/^\+ watcher .* of image/)]);
    await volume.unmount();
    await expectCleanWorld(before, scope);
  });

  test('has a snapshot of a subvolume', async () => {
    const snapshot = ['cephfs', share.name, 'left', '--group_name', group];
    await cluster.run('ceph', ['fs', 'subvolume', 'snapshot', 'create', ...snapshot]);
    expect(await changes()).toEqual([`+ snapshot left of subvolume cephfs/${group}/share`]);
    await cluster.run('ceph', ['fs', 'subvolume', 'snapshot', 'rm', ...snapshot]);
    await expectCleanWorld(before, scope);
  });

  test('has a temporary file', async () => {
    await writeFile(`${scope.temporary}/left`, '');
    expect(await changes()).toEqual([`+ file ${scope.temporary}/left`]);
    await run('rm', [`${scope.temporary}/left`]);
    await expectCleanWorld(before, scope);
  });

  test('has a process', async () => {
    const child = spawn('sleep', ['60'], { env: { ...process.env, TMPDIR: scope.temporary } });
    try {
      expect(await changes()).toEqual([`+ process ${child.pid ?? 0} sleep 60 `]);
    } finally {
      child.kill('SIGKILL');
    }
    await expectCleanWorld(before, scope);
  });

  test('has a mount', async () => {
    await run('mount', ['-t', 'tmpfs', 'left', scope.temporary]);
    try {
      expect(await changes()).toEqual([`+ mount left ${scope.temporary} tmpfs rw,relatime 0 0`]);
    } finally {
      await run('umount', [scope.temporary]);
    }
    await expectCleanWorld(before, scope);
  });

  test('has an opened backup, unless it is in a folder of a test beside', async () => {
    const foreign = await temporaryFolder();
    for (const [place, seen] of [
      [foreign, []],
      [scope.temporary, [expect.stringMatching(/^\+ mount cephbackup-open-0 /)]],
    ] as const) {
      await run('mount', ['-t', 'tmpfs', 'cephbackup-open-0', place]);
      try {
        expect(await changes()).toEqual(seen);
      } finally {
        await run('umount', [place]);
      }
    }
    await expectCleanWorld(before, scope);
  });

  test('has a loop device that nobody mounted', async () => {
    const { device, file, program, detach } = await attachLoopDevice(scope.temporary);
    try {
      const seen = await changes();
      expect(seen).toContain(`+ loop device ${device.slice(5)} of ${file}`);
      await expect(expectCleanWorld(before, scope, 0)).rejects.toThrow('loop device');
    } finally {
      await detach();
      await end(program);
      await rm(path.dirname(file), { recursive: true });
    }
    await expectCleanWorld(before, scope);
  });
});
