import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { attachImage, mountImage, type AttachedImage } from '../../sandbox/ceph.js';
import { run } from '../../sandbox/process.js';
import { oldResticProgram, resticProgram } from '../../sandbox/tools.js';
import { Scenario, type Report, type SeededClaim } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectSameTree, makeHostileTree } from '../support/tree.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let neighbour: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create();
  neighbour = await scenario.claim('neighbour', {
    fill: (root) => writeFile(path.join(root, 'f'), 'neighbour'),
  });
});

/** Runs once with the neighbour beside it, and checks that the world is as it was and the neighbour was backed up. */
async function runBeside(options: Parameters<Scenario['run']>[0] = {}) {
  const before = await scenario.world();
  const report = await scenario.run(options);
  await expectCleanWorld(before, scenario.worldScope, 40_000);
  expect(report.volume(neighbour).error).toBeNull();
  expect(report.leftovers).toEqual([]);
  return report;
}

/** The claim is opted out after its test, so that it does not fail the following ones. */
async function optOut({ namespace, name }: SeededClaim): Promise<void> {
  const patch = { metadata: { annotations: { 'cephbackup.hpc.nyu.edu/backup': 'false' } } };
  const claims = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`;
  await scenario.kube.request('PATCH', claims, patch, 'application/merge-patch+json');
}

describe.each(['ext4', 'xfs'] as const)('a volume with %s that is in use', (type) => {
  test('is restored as it was at the snapshot, and unchanged the second time', async () => {
    const claim = await scenario.claim(`in-use-${type}`, { format: type, fsType: type, size: '400M' });
    const mounted = await mountImage(scenario.cluster, claim.image, type);
    try {
      const data = path.join(mounted.path, 'data');
      await mkdir(data);
      await makeHostileTree(data);
      await scenario.cluster.run('sync', ['-f', data]);
      const report = await runBeside();
      expect(report.code).toBe(0);
      const { snapshot, warnings } = report.volume(claim);
      expect(warnings).toEqual([]);
      const marks = await scenario.annotations(claim);
      expect(marks).toMatchObject({ 'last-snapshot': snapshot, 'last-backup-claim': claim.uid });
      const [stored] = await scenario.snapshots(claim);
      expect(stored).toMatchObject({
        id: snapshot,
        hostname: `k8s-demo-nspvc-${claim.name}`,
        time: marks['last-backup'],
      });
      expect(stored?.tags?.map((tag) => tag.split('=')[0])).toEqual([
        'cluster',
        'namespace',
        'pvc',
        'uid',
        'pv',
        'kind',
      ]);
      const target = await temporaryFolder('restored');
      await scenario.repository.restore(snapshot ?? '', target);
      await expectSameTree(data, path.join(target, 'data'));

      // Files that were changed just before the first snapshot are read again, and are stored with another ctime. restic stores
      // the device number of a file with several links, so that folders with such files are written again where the
      // clone has got another number; data is not.
      const again = await runBeside();
      expect(again.volume(claim)).toMatchObject({ error: null });
      const stats = await storedSnapshot(again.volume(claim).snapshot);
      expect(stats.summary).toMatchObject({ files_new: 0, data_blobs: 0 });
      expect(again.volume(neighbour)).toMatchObject({ outcome: 'unchanged' });
      const plain = await storedSnapshot(again.volume(neighbour).snapshot);
      expect(plain.summary).toMatchObject({ files_new: 0, files_changed: 0, tree_blobs: 0, data_blobs: 0 });
      expect(stats.paths).toEqual(stored?.paths);
    } finally {
      await mounted.unmount();
      await optOut(claim);
    }
  });
});

describe('volumes that cannot be backed up fail one by one, beside others that succeed', () => {
  const claims: Record<string, SeededClaim> = {};
  let report: Report;

  beforeAll(async () => {
    const data = (root: string) => writeFile(path.join(root, 'f'), 'data');
    claims.missing = await scenario.claim('missing', { image: `${scenario.place}/no-such-image` });
    claims.corrupt = await scenario.claim('corrupt', { fill: data });
    await damageTables(claims.corrupt);
    claims.mismatch = await scenario.claim('mismatch', { format: 'xfs', size: '400M' });
    claims.btrfs = await scenario.claim('btrfs', { format: 'btrfs', fsType: 'btrfs', size: '200M' });
    claims.blank = await scenario.claim('blank', { format: 'none' });
    claims.unreadable = await scenario.claim('unreadable', {
      fill: async (root) => {
        await mkdir(path.join(root, 'folder'));
        await writeFile(path.join(root, 'folder', 'f'), 'data');
        // Read after the folder: restic must not be done before it can be stopped.
        await writeFile(path.join(root, 'large'), randomBytes(32 * 1024 ** 2));
      },
    });
    // A directory whose entries are no directory's: e2fsck -p finds nothing, reading fails.
    await damageDirectory(claims.unreadable);
    claims.first = await scenario.claim('c', { namespace: 'a-nspvc-b' });
    claims.second = await scenario.claim('b-nspvc-c', { namespace: 'a' });
    claims.hostile = await scenario.claim('hostile', { image: `${scenario.place}/-x@y` });
    claims.empty = await scenario.claim('empty');
    report = await runBeside();
  });

  test.each([
    ['missing', 'IMAGE_NOT_FOUND'],
    ['corrupt', 'FILESYSTEM_CORRUPT'],
    ['mismatch', 'FILESYSTEM_MISMATCH'],
    ['btrfs', 'FILESYSTEM_UNSUPPORTED'],
    ['unreadable', 'READ_INCOMPLETE'],
    ['first', 'HOST_COLLISION'],
    ['second', 'HOST_COLLISION'],
    ['hostile', 'SOURCE_NAME_INVALID'],
  ])('%s: %s', async (name, code) => {
    const claim = claims[name];
    if (claim === undefined) throw new Error(name);
    expect(report.volume(claim)).toMatchObject({ outcome: 'failed', snapshot: null, error: { code } });
    const { 'last-error': error, 'last-attempt': attempt, ...others } = await scenario.annotations(claim);
    expect(error).toBe(code);
    expect(attempt).toMatch(/^\d{4}-.*Z$/);
    expect(others).toEqual({});
    expect(await scenario.snapshots(claim)).toEqual([]);
    const events = await scenario.events(claim);
    expect(events.map(({ reason }) => reason)).toEqual(['BackupFailed']);
    // Tenants read events: nothing of the storage below may be in them.
    for (const { message } of events) {
      for (const part of claim.image.split('/')) expect(message).not.toContain(part);
    }
    await optOut(claim);
  });

  test('one that was never used is no failure: nobody is told of one', async () => {
    const { blank } = claims;
    if (blank === undefined) throw new Error('no claim');
    expect(report.volume(blank)).toMatchObject({ outcome: 'empty', snapshot: null, error: null });
    expect(await scenario.annotations(blank)).toEqual({});
    expect(await scenario.events(blank)).toEqual([]);
    await optOut(blank);
  });

  test('the run says so, and an empty filesystem is a legal volume', async () => {
    expect(report.code).toBe(1);
    const { empty } = claims;
    if (empty === undefined) throw new Error('no claim');
    expect(report.volume(empty)).toMatchObject({ outcome: 'succeeded', error: null });
    expect((await scenario.events(empty)).map(({ reason }) => reason)).toEqual(['BackupSucceeded']);
  });
});

test('an entry of xfs whose inode is free is no file that went away: restic alone would pass over it', async () => {
  let inode = 0;
  const fill = async (root: string) => {
    // Not at the root, whose entries are counted.
    const folder = path.join(root, 'folder');
    await mkdir(folder);
    for (const name of ['kept', 'lost']) await writeFile(path.join(folder, name), name);
    inode = (await stat(path.join(folder, 'lost'))).ino;
  };
  const claim = await scenario.claim('dangling', { format: 'xfs', fsType: 'xfs', size: '320M', fill });
  const attached = await attachImage(scenario.cluster, claim.image);
  try {
    await attached.namespace.run('xfs_db', [
      '-x',
      '-c',
      `inode ${inode}`,
      '-c',
      'write core.mode 0',
      attached.file,
    ]);
  } finally {
    await attached.detach();
  }
  const report = await scenario.run({ args: ['--pvc', `${claim.namespace}/${claim.name}`] });
  expect(report.volume(claim)).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: { code: 'FILESYSTEM_CORRUPT', message: expect.stringContaining('lost') },
  });
  expect(await scenario.snapshots(claim)).toEqual([]);
  await optOut(claim);
});

test('a directory that ext4 lists without its damaged part, and without an error, is no backup', async () => {
  const claim = await scenario.claim('skipped', { format: 'none' });
  // Without an index and checksums, the kernel goes from block to block of a directory and passes over what is no entry.
  const plain = await attachImage(scenario.cluster, claim.image);
  await plain.namespace
    .run('mkfs.ext4', ['-q', '-F', '-O', '^dir_index,^metadata_csum', plain.file])
    .finally(() => plain.detach());
  const mounted = await mountImage(scenario.cluster, claim.image, 'ext4');
  try {
    await mkdir(path.join(mounted.path, 'folder'));
    for (let n = 0; n < 40; n += 1)
      await writeFile(path.join(mounted.path, 'folder', `a-name-that-takes-its-room-${n}`), '');
  } finally {
    await mounted.unmount();
  }
  const attached = await attachImage(scenario.cluster, claim.image);
  try {
    const { namespace, file } = attached;
    // The second of two blocks: what is left is found in the first, so that no look for a name meets the damage.
    const blocks = await namespace.run('debugfs', ['-R', 'blocks /folder', file]);
    const block = blocks.trim().split(/\s+/).at(-1) ?? '';
    const size = /Block size:\s+(\d+)/.exec(await namespace.run('dumpe2fs', ['-h', file]))?.[1] ?? '';
    const at = [`of=${attached.path}`, `bs=${size}`, `seek=${block}`, 'count=1'];
    await scenario.cluster.run('dd', ['if=/dev/zero', ...at, 'conv=notrunc', 'status=none']);
  } finally {
    await attached.detach();
  }
  const report = await scenario.run({ args: ['--pvc', `${claim.namespace}/${claim.name}`] });
  const [saved] = await scenario.snapshots(claim);
  expect(report.volume(claim)).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: { code: 'FILESYSTEM_CORRUPT' },
  });
  expect(report.leftovers).toMatchObject([{ kind: 'restic-snapshot', name: saved?.id }]);
  expect(await scenario.annotations(claim)).toMatchObject({ 'last-error': 'FILESYSTEM_CORRUPT' });
  await optOut(claim);
});

test('a volume of the pool without room fails, and nothing hangs', async () => {
  const claim = await scenario.claim('full', { fill: (root) => writeFile(path.join(root, 'f'), 'data') });
  const faults = [
    {
      program: 'rbd',
      when: '*snap create*csi-vol*',
      mode: 'fail' as const,
      exitCode: 28,
      stderr: 'rbd: failed to create snapshot: (28) No space left on device',
    },
  ];
  const only = ['--pvc', `${claim.namespace}/${claim.name}`];
  const report = await scenario.run({ faults, args: only });
  expect(report.volume(claim)).toMatchObject({ outcome: 'failed', error: { code: 'POOL_FULL' } });
  await optOut(claim);
});

test('an old restic is refused by name before anything is touched', async () => {
  const folder = await temporaryFolder('old-restic');
  await writeFile(path.join(folder, 'restic'), `#!/bin/sh\nexec ${oldResticProgram} "$@"\n`);
  await chmod(path.join(folder, 'restic'), 0o755);
  const before = await scenario.world();
  const result = await scenario.cephbackup(['run', '-o', 'json'], {
    env: { PATH: `${folder}:${process.env.PATH ?? ''}` },
  });
  expect(result.code).toBe(2);
  expect(result.json).toMatchObject({ error: { code: 'RESTIC_TOO_OLD' } });
  await expectCleanWorld(before, scenario.worldScope);
});

test.each([
  ['nothing', ':', 'exit code 0: no message'],
  ['why it cannot', 'echo "no memory" >&2; exit 2', 'exit code 2: no memory'],
  ['nothing any more', 'kill -KILL $$', 'SIGKILL'],
])(
  'with a restic that says %s where its version is asked for no volume is begun',
  async (_, says, message) => {
    const folder = await temporaryFolder('silent-restic');
    const script = `#!/bin/bash\n[ "$1" != version ] || { ${says}; exit; }\nexec ${resticProgram} "$@"\n`;
    await writeFile(path.join(folder, 'restic'), script, { mode: 0o755 });
    const before = await scenario.world();
    const result = await scenario.cephbackup(['run', '-o', 'json'], {
      env: { PATH: `${folder}:${process.env.PATH ?? ''}` },
    });
    expect(result.code).toBe(3);
    expect(result.json).toMatchObject({
      error: { code: 'RESTIC_UNUSABLE', message: expect.stringContaining(message) as unknown as string },
    });
    await expectCleanWorld(before, scenario.worldScope);
  },
);

test('nor does an old restic that has begun to open the repository leave its lock there', async () => {
  const folder = await temporaryFolder('slow-restic');
  const locks = path.join(scenario.repository.env.RESTIC_REPOSITORY, 'locks');
  // It tells its version when the other one, which reads a snapshot without end, holds its lock.
  const script = `#!/bin/bash
    case $1 in
      version) until [ "$(ls ${locks})" ]; do sleep 0.01; done; echo 'restic 0.16.5 compiled with go' ;;
      *) exec ${resticProgram} "$1" --no-cache "\${@:2}" ;;
    esac`;
  await writeFile(path.join(folder, 'restic'), script, { mode: 0o755 });
  const endless = path.join(scenario.repository.env.RESTIC_REPOSITORY, 'snapshots', '0'.repeat(64));
  await run('mkfifo', [endless]);
  const { code, json, stderr } = await scenario.cephbackup(['run', '-o', 'json'], {
    env: { PATH: `${folder}:${process.env.PATH ?? ''}` },
  });
  await rm(endless);
  expect([code, code === 2 ? '' : stderr]).toEqual([2, '']);
  expect(json).toMatchObject({ error: { code: 'RESTIC_TOO_OLD' } });
  expect(await scenario.repository.locks()).toEqual([]);
});

interface StoredSnapshot {
  summary: { files_new: number; files_changed: number; tree_blobs: number; data_blobs: number };
  paths: string[];
}

async function storedSnapshot(id: string | null): Promise<StoredSnapshot> {
  return JSON.parse(await scenario.repository.restic('cat', 'snapshot', id ?? '')) as StoredSnapshot;
}

/** Overwrites group descriptors, bitmaps and inode tables; the superblock stays. */
async function damageTables(claim: SeededClaim): Promise<void> {
  const attached = await attachImage(scenario.cluster, claim.image);
  try {
    await overwrite(attached, 2, 1024, 6 * 1024);
  } finally {
    await attached.detach();
  }
}

/** Overwrites the data block of the directory `folder` at its place in the image. */
async function damageDirectory(claim: SeededClaim): Promise<void> {
  const attached = await attachImage(scenario.cluster, claim.image);
  try {
    const { namespace, file } = attached;
    const blocks = await namespace.run('debugfs', ['-R', 'blocks /folder', file]);
    const block = /\d+/.exec(blocks)?.[0] ?? '';
    const size = /Block size:\s+(\d+)/.exec(await namespace.run('dumpe2fs', ['-h', file]))?.[1] ?? '';
    await overwrite(attached, Number(block), Number(size), 1);
  } finally {
    await attached.detach();
  }
}

/** Writes nonsense over `count` blocks of `size` bytes. */
async function overwrite(
  { path: file }: AttachedImage,
  block: number,
  size: number,
  count: number,
): Promise<void> {
  const args = [`of=${file}`, `bs=${size}`, `seek=${block}`, 'conv=notrunc', 'status=none'];
  await scenario.cluster.run('dd', args, { input: '\u0001'.repeat(size * count) });
}
