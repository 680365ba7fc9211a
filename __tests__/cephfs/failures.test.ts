import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { mountShare } from '../../sandbox/ceph.js';
import { resticProgram, searchPath } from '../../sandbox/tools.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { temporaryFolder } from '../support/temporary.js';
import { Rig, type BackupOptions } from './rig.js';

let rig: Rig;
let path: string;
beforeAll(async () => {
  rig = await Rig.create();
  path = await rig.subvolume('volume');
  const share = await mountShare(rig.cluster, 'cephfs', path);
  await mkdir(`${share.path}/folder`);
  await writeFile(`${share.path}/folder/file`, randomBytes(1000));
  await share.unmount();
});

/** Backs up in vain; nothing may be left. */
async function failure(volume: PlannedVolume, options: BackupOptions = {}) {
  const { result, leftovers } = await rig.backup(volume, options);
  expect(result).toMatchObject({ outcome: 'failed', snapshot: null });
  expect(leftovers).toEqual([]);
  expect(result.error?.guidance).not.toBe('');
  return { code: result.error?.code, message: result.error?.message ?? '' };
}

function faulty(...faults: Fault[]): BackupOptions {
  return { path: new FaultyPrograms(faults, searchPath()).path };
}

describe('a volume whose PersistentVolume is wrong', () => {
  test('names a subvolume that does not exist', async () => {
    const missing = `/volumes/${rig.group}/missing/308fa52e-a490-4517-9dee-34f8ee161077`;
    expect(await failure(rig.dynamic('missing', missing))).toMatchObject({ code: 'SUBVOLUME_NOT_FOUND' });
    const withoutPath = rig.volume('team/x', {
      fsName: 'cephfs',
      subvolumeName: 'missing',
      subvolumeGroup: rig.group,
    });
    expect(await failure(withoutPath)).toMatchObject({ code: 'SUBVOLUME_NOT_FOUND' });
  });

  test('names the subvolume, but another directory of it', async () => {
    const other = path.replace(/[^/]+$/, '308fa52e-a490-4517-9dee-34f8ee161077');
    expect(await failure(rig.dynamic('volume', other))).toMatchObject({ code: 'SUBVOLUME_NOT_FOUND' });
    expect(await rig.snapshots('volume')).toEqual([]);
  });

  test('names a filesystem that does not exist: those that do are listed', async () => {
    const { code, message } = await failure(rig.dynamic('volume', path, 'wrong'));
    expect(code).toBe('CEPHFS_NOT_FOUND');
    expect(message).toMatch(/"wrong"; there is: .*cephfs/);
    expect(await failure(rig.dynamic('volume', path, '--help'))).toMatchObject({ code: 'CEPHFS_NOT_FOUND' });
  });

  test('has names that could be taken for something else', async () => {
    const hostile = rig.volume('team/x', {
      fsName: 'cephfs',
      subvolumeName: '--force',
      subvolumeGroup: 'csi',
    });
    expect(await failure(hostile)).toMatchObject({ code: 'SOURCE_NAME_INVALID' });
  });
});

describe('a volume whose PersistentVolume says little', () => {
  const backedUp = { outcome: 'succeeded', error: null };

  test('is found by the name of the subvolume, without its path', async () => {
    const attributes = { fsName: 'cephfs', subvolumeName: 'volume', subvolumeGroup: rig.group };
    expect((await rig.backup(rig.volume('team/a', attributes))).result).toMatchObject(backedUp);
  });

  test('is found by the number of the filesystem in its handle, or else in the default one', async () => {
    const handle = '0001-0007-sandbox-0000000000000001-308fa52e-a490-4517-9dee-34f8ee161077';
    const attributes = { subvolumeName: 'volume', subvolumePath: path };
    expect((await rig.backup(rig.volume('team/b', attributes, handle))).result).toMatchObject(backedUp);
    expect(
      (await rig.backup(rig.volume('team/c', { rootPath: path, staticVolume: 'true' }))).result,
    ).toMatchObject(backedUp);
    const unknown = handle.replace('0000001-', '00000ff-');
    expect(await failure(rig.volume('team/b', attributes, unknown))).toMatchObject({
      code: 'CEPHFS_NOT_FOUND',
    });
  });
});

describe('a snapshot', () => {
  test('of the same name that exists already is neither used nor removed', async () => {
    const name = rig.nextName();
    await rig.cluster.ceph(`fs subvolume snapshot create cephfs volume ${name} --group_name ${rig.group}`);
    expect(await failure(rig.dynamic('volume', path), { name })).toMatchObject({ code: 'SNAPSHOT_FAILED' });
    expect(await rig.snapshots('volume')).toEqual([name]);
    await rig.cluster.ceph(`fs subvolume snapshot rm cephfs volume ${name} --group_name ${rig.group}`);
  });

  test('that is not there although Ceph says so fails the volume', async () => {
    const lie = faulty({ program: 'ceph', when: '*snapshot create*', mode: 'lie' });
    expect(await failure(rig.dynamic('volume', path), lie)).toMatchObject({ code: 'SNAPSHOT_FAILED' });
  });

  test('that is there although Ceph says no is removed', async () => {
    const failing = faulty({ program: 'ceph', when: '*snapshot create*', mode: 'fail-after' });
    expect(await failure(rig.dynamic('volume', path), failing)).toMatchObject({ code: 'SNAPSHOT_FAILED' });
    expect(await rig.snapshots('volume')).toEqual([]);
  });

  test('that cannot be removed is named, and does not undo the backup', async () => {
    const options = faulty({ program: 'ceph', when: '*snapshot rm*', mode: 'fail', exitCode: 110 });
    const { result, leftovers } = await rig.backup(rig.dynamic('volume', path), options);
    expect(result.outcome).toBe('succeeded');
    const [name] = await rig.snapshots('volume');
    expect(leftovers).toMatchObject([
      { kind: 'snapshot', name: `cephfs/${rig.group}/volume@${name ?? ''}`, cluster: 'sandbox' },
    ]);
    expect((await rig.sweep([rig.dynamic('volume', path)])).removed).toHaveLength(1);
    expect(await rig.snapshots('volume')).toEqual([]);
  });

  test('that somebody removes while it is read fails the volume, and what restic saved is named', async () => {
    const name = rig.nextName();
    const remove = ['fs', 'subvolume', 'snapshot', 'rm', 'cephfs', 'volume', name, '--group_name', rig.group];
    const onStep = (step: string) => {
      if (step === 'backing up')
        execFileSync('ceph', remove, { env: { ...process.env, ...rig.cluster.env } });
    };
    const { result, leftovers } = await rig.backup(rig.dynamic('volume', path), { name, onStep });
    expect(result).toMatchObject({ outcome: 'failed', snapshot: null });
    expect(['SNAPSHOT_VANISHED', 'READ_INCOMPLETE', 'RESTIC_FAILED']).toContain(result.error?.code);
    expect(leftovers.every(({ kind }) => kind === 'restic-snapshot')).toBe(true);
  });

  test('that is gone when restic has read it proves nothing: what restic saved is no backup', async () => {
    const name = rig.nextName();
    const folder = await temporaryFolder();
    const remove = `ceph fs subvolume snapshot rm cephfs volume ${name} --group_name ${rig.group}`;
    const script = [
      '#!/bin/bash',
      `'${resticProgram}' "$@" || exit`,
      `[ "$1" != backup ] || CEPH_CONF='${rig.cluster.conf}' ${remove}`,
    ];
    await writeFile(`${folder}/restic`, script.join('\n'), { mode: 0o755 });
    const options = { name, path: `${folder}:${searchPath()}` };
    const { result, leftovers } = await rig.backup(rig.dynamic('volume', path), options);
    expect(result).toMatchObject({
      outcome: 'failed',
      snapshot: null,
      error: { code: 'SNAPSHOT_VANISHED' },
    });
    expect(leftovers).toMatchObject([{ kind: 'restic-snapshot' }]);
  });
});

describe('an empty volume', () => {
  test('is no failure if it never had a backup; one that was emptied is no good news, and fails', async () => {
    const empty = rig.dynamic('empty', await rig.subvolume('empty'));
    expect((await rig.backup(empty)).result).toMatchObject({ outcome: 'empty', snapshot: null, error: null });
    rig.marks.set(empty.uid, 'f'.repeat(64));
    expect(await failure(empty)).toMatchObject({ code: 'VOLUME_EMPTY' });
  });
});

describe('limits of Ceph', () => {
  test('as many snapshots as a directory may have', async () => {
    const full = await rig.subvolume('full');
    const snapshots = `${full.slice(0, full.lastIndexOf('/'))}/.snap`;
    const root = await mountShare(rig.cluster, 'cephfs', '/');
    const fill = async () => {
      for (let count = 0; count < 1000; count += 1) await mkdir(`${root.path}${snapshots}/s${count}`);
    };
    await expect(fill()).rejects.toThrow('EMLINK');
    const { length } = await readdir(`${root.path}${snapshots}`);
    expect(await failure(rig.dynamic('full', full))).toMatchObject({ code: 'SNAPSHOT_LIMIT' });
    expect(await readdir(`${root.path}${snapshots}`)).toHaveLength(length);
    await root.unmount();
  });

  test('a quota that is used up does not matter: a snapshot counts for nothing', async () => {
    const small = await rig.subvolume('small', 'cephfs', 1_000_000);
    const share = await mountShare(rig.cluster, 'cephfs', small);
    const tooMuch = writeFile(`${share.path}/large`, randomBytes(2_000_000), { flush: true });
    await expect(tooMuch).rejects.toThrow();
    await share.unmount();
    expect((await rig.backup(rig.dynamic('small', small))).result).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('a program that misbehaves', () => {
  const volume = () => rig.dynamic('volume', path);

  test.each<[string, string, string]>([['ceph', '*fs dump*', 'COMMAND_OUTPUT_INVALID']])(
    '%s %s prints nonsense',
    async (program, when, code) => {
      expect(await failure(volume(), faulty({ program, when, mode: 'garbage' }))).toMatchObject({ code });
    },
  );

  test.each<[string, string, Fault['mode'], string]>([
    ['ceph', '*fs dump*', 'fail', 'COMMAND_FAILED'],
    ['ceph-fuse', '*', 'fail', 'MOUNT_FAILED'],
    ['mount', '*--bind*', 'fail', 'MOUNT_FAILED'],
    ['mount', '*--bind*', 'lie', 'MOUNT_FAILED'],
    // Not that of ceph-fuse itself, which aborts then.
    ['mount', '*remount,bind*', 'fail', 'MOUNT_FAILED'],
    ['ls', '*', 'fail', 'COMMAND_FAILED'],
    ['ls', '*', 'lie', 'SNAPSHOT_FAILED'],
    ['unshare', '*', 'fail', 'NAMESPACE_FAILED'],
    ['restic', 'backup *', 'fail', 'RESTIC_FAILED'],
  ])('%s %s: %s', async (program, when, mode, code) => {
    expect(await failure(volume(), faulty({ program, when, mode }))).toMatchObject({ code });
    expect(await rig.snapshots('volume')).toEqual([]);
  });

  test('ceph is slow: the deadline of the volume that asks it for all is not that of the others', async () => {
    const options = faulty({ program: 'ceph', when: '*fs dump*', mode: 'delay' });
    const driver = rig.driver(options);
    const late = failure(volume(), { ...options, driver, timeout: 1_000 });
    const { result } = await rig.backup(volume(), { ...options, driver });
    // Unchanged where an earlier test of this file has backed it up.
    expect(result).toMatchObject({ outcome: expect.stringMatching(/^(succeeded|unchanged)$/), error: null });
    expect(await late).toMatchObject({ code: 'VOLUME_TIMEOUT' });
  });

  test('ceph never ends: the volume has a deadline', async () => {
    const options = faulty({ program: 'ceph', when: '*snapshot create*', mode: 'hang' });
    const code = 'VOLUME_TIMEOUT';
    expect(await failure(volume(), { ...options, timeout: 8_000 })).toMatchObject({ code });
  });
});
