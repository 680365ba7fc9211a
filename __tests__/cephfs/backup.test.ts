import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mountShare, type MountedVolume } from '../../sandbox/ceph.js';
import { run } from '../../sandbox/process.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectSameTree, makeHostileTree } from '../support/tree.js';
import { expectCleanWorld, observeWorld } from '../support/world.js';
import { ObservedRestic } from './observed-restic.js';
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

describe('a share that is written to, with nothing flushed', () => {
  test('every backup has what was written before its snapshot, so that its times can be believed', async () => {
    const path = await rig.subvolume('written');
    const share = await mountShare(rig.cluster, 'cephfs', path);
    const names = Array.from({ length: 16 }, (_, n) => `f${n}`);
    const files = await Promise.all(names.map((name) => open(`${share.path}/${name}`, 'w+')));
    try {
      for (const letter of ['A', 'B', 'C']) {
        for (const file of files) await file.write(Buffer.alloc(65_536, letter), 0, 65_536, 0);
        const { result } = await rig.backup(rig.dynamic('written', path));
        expect(result).toMatchObject({ outcome: 'succeeded', error: null });
        const restored = await temporaryFolder('restored');
        await rig.repository.restore(result.snapshot ?? '', restored);
        const contents = await Promise.all(names.map((name) => readFile(`${restored}/${name}`, 'latin1')));
        expect(new Set(contents.map((content) => content[0]))).toEqual(new Set(letter));
        expect(new Set(contents.flatMap((content) => [...new Set(content)]))).toEqual(new Set(letter));
      }
    } finally {
      await Promise.all(files.map((file) => file.close()));
      await share.unmount();
    }
  });
});

describe('a share with everything that a filesystem can have', () => {
  test('comes back as it was: names, modes, owners, times, links, attributes, ACLs, devices, holes', async () => {
    const path = await rig.subvolume('hostile');
    const share = await mountShare(rig.cluster, 'cephfs', path);
    const restored = await temporaryFolder();
    try {
      await makeHostileTree(share.path);
      const { result } = await rig.backup(rig.dynamic('hostile', path));
      expect(result).toMatchObject({ outcome: 'succeeded', error: null });
      await rig.repository.restore(result.snapshot ?? '', restored);
      await expectSameTree(share.path, restored);
      // Ceph's own virtual attributes would be lies in a backup.
      const listing = await rig.repository.restic('cat', 'tree', `${result.snapshot ?? ''}:/attributes`);
      expect(listing).toContain('user.plain');
      expect(listing).not.toContain('"name":"ceph.');
    } finally {
      await share.unmount();
    }
  });
});

describe('a share that changes while it is read', () => {
  test('is backed up without a trace of it: its files can even be removed', async () => {
    const path = await rig.subvolume('moving');
    const share = await mountShare(rig.cluster, 'cephfs', path);
    const [wanted, restored] = [await temporaryFolder(), await temporaryFolder()];
    try {
      await mkdir(`${share.path}/deep/down`, { recursive: true });
      for (let index = 0; index < 50; index += 1) {
        await writeFile(`${share.path}/deep/down/${index}`, randomBytes(100_000), { flush: true });
      }
      await run('cp', ['-a', `${share.path}/.`, wanted]);
      let removed = false;
      const onStep = (step: string) => {
        if (step !== 'backing up') return;
        rmSync(`${share.path}/deep`, { recursive: true });
        writeFileSync(`${share.path}/later`, 'x', { flush: true });
        removed = true;
      };
      const { result } = await rig.backup(rig.dynamic('moving', path), { onStep });
      expect(removed).toBe(true);
      expect(result).toMatchObject({ outcome: 'succeeded', error: null });
      await rig.repository.restore(result.snapshot ?? '', restored);
      await expectSameTree(wanted, restored);
    } finally {
      await share.unmount();
    }
  });

  test('holds all that a client of it had made sure of by fsync before the snapshot was asked for', async () => {
    const path = await rig.subvolume('log');
    const share = await mountShare(rig.cluster, 'cephfs', path);
    const restored = await temporaryFolder();
    const file = await open(`${share.path}/log`, 'w');
    let lines = 0;
    let sure = -1;
    const stop = new AbortController();
    try {
      const writer = (async () => {
        for (; !stop.signal.aborted; lines += 1) {
          await file.write(`${lines}\n`);
          await file.datasync();
        }
      })();
      const onStep = (step: string) => {
        if (step === 'taking snapshot') sure = lines;
      };
      const { result } = await rig.backup(rig.dynamic('log', path), { onStep });
      stop.abort();
      await writer;
      expect(result).toMatchObject({ outcome: 'succeeded', error: null });
      await rig.repository.restore(result.snapshot ?? '', restored);
      const found = (await readFile(`${restored}/log`, 'utf8')).split('\n').slice(0, -1);
      expect(sure).toBeGreaterThan(0);
      expect(found.length).toBeGreaterThanOrEqual(sure);
      expect(found.length).toBeLessThan(lines);
      expect(found).toEqual(found.map((_, index) => String(index)));
    } finally {
      stop.abort();
      await file.close();
      await share.unmount();
    }
  });
});

/** More than fit into one part of a directory at the metadata server (`mds_bal_split_size`, 10,000). */
const manyFiles = 11_000;

describe('a share with 2,000 files, and very many in one directory, that does not change', () => {
  test('is not read again, and not one of its trees is rewritten', async () => {
    const path = await rig.subvolume('still');
    const share = await mountShare(rig.cluster, 'cephfs', path);
    try {
      for (let folder = 0; folder < 20; folder += 1) {
        await mkdir(`${share.path}/${folder}`);
        const files = Array.from({ length: 100 }, (_, file) => `${share.path}/${folder}/${file}`);
        await Promise.all(files.map((file) => writeFile(file, randomBytes(2000))));
      }
      await mkdir(`${share.path}/many`);
      for (let first = 0; first < manyFiles; first += 1000) {
        const files = Array.from({ length: 1000 }, (_, file) => `${share.path}/many/${first + file}`);
        await Promise.all(files.map((file) => writeFile(file, '')));
      }
    } finally {
      await share.unmount();
    }
    const restic = await ObservedRestic.create();
    const volume = rig.dynamic('still', path);
    const first = await rig.backup(volume, { path: restic.path });
    expect(first.result).toMatchObject({ outcome: 'succeeded', error: null });
    expect(await restic.counts()).toMatchObject({ files_new: 2000 + manyFiles, dirs_new: 21 });

    // Another snapshot in between: the numbers of files must not depend on how many there are.
    await rig.cluster.ceph(`fs subvolume snapshot create cephfs still other --group_name ${rig.group}`);
    const second = await rig.backup(volume, { path: restic.path });
    expect(second.result).toMatchObject({ outcome: 'unchanged', error: null });
    expect(second.result.bytesAdded).toBeLessThan(first.result.bytesAdded / 100);
    expect(await restic.counts()).toMatchObject({
      ...{ files_new: 0, files_changed: 0, files_unmodified: 2000 + manyFiles },
      ...{ dirs_new: 0, dirs_changed: 0, dirs_unmodified: 21, data_blobs: 0, tree_blobs: 0 },
    });
  });
});
