import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mountShare, type MountedVolume } from '../../sandbox/ceph.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectSameTree } from '../support/tree.js';
import { expectCleanWorld, observeWorld } from '../support/world.js';
import { Rig } from './rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.create();
});

describe('a share in use', () => {
  let share: MountedVolume;
  let path: string;
  let restored: string;
  beforeAll(async () => {
    path = await rig.subvolume('busy');
    share = await mountShare(rig.cluster, 'cephfs', path);
    restored = await temporaryFolder();
  });
  afterAll(() => share.unmount());

  test('is backed up as it was when the snapshot was taken, and nothing is left', async () => {
    await mkdir(`${share.path}/folder`);
    await writeFile(`${share.path}/folder/file`, 'before', { flush: true });
    const scope = { cluster: rig.cluster, shareGroups: [{ filesystem: 'cephfs', group: rig.group }] };
    const before = await observeWorld(scope);
    const { result, leftovers } = await rig.backup(rig.dynamic('busy', path));
    expect(result).toMatchObject({ outcome: 'succeeded', error: null, warnings: [] });
    expect(leftovers).toEqual([]);
    await expectCleanWorld(before, scope);
    await rig.repository.restore(result.snapshot ?? '', restored);
    await expectSameTree(share.path, restored);
    const [snapshot] = await rig.repository.snapshots();
    expect(snapshot).toMatchObject({ id: result.snapshot, paths: ['/run/cephbackup/volume'] });
  });
});
