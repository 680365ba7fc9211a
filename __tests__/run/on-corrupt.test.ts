import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { attachImage, writeFilesystem, type AttachedImage, type FilesystemType } from '../../sandbox/ceph.js';
import { Scenario, type Report, type SeededClaim } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';

// Filesystems that are really damaged, on real Ceph; what is saved of them is told apart by every command.

let scenario: Scenario;

const withoutApi = { KUBECONFIG: '' };

async function fill(root: string): Promise<void> {
  await mkdir(path.join(root, 'folder'));
  await writeFile(path.join(root, 'folder', 'file'), 'in a folder');
  await writeFile(path.join(root, 'file'), 'good');
}

/** Writes nonsense over `count` blocks of `size` bytes. */
function overwrite({ path: file }: AttachedImage, seek: number, size: number, count: number) {
  const to = [`of=${file}`, `bs=${size}`, `seek=${seek}`, 'conv=notrunc', 'status=none'];
  return scenario.cluster.run('dd', to, { input: '\u0001'.repeat(size * count) });
}

const withoutTables = (attached: AttachedImage) => overwrite(attached, 2, 1024, 6 * 1024);

/** A quick check passes over it, and the kernel does not. */
async function withoutFolder(attached: AttachedImage): Promise<void> {
  const { namespace, file } = attached;
  const block = /\d+/.exec(await namespace.run('debugfs', ['-R', 'blocks /folder', file]))?.[0];
  const size = /Block size:\s+(\d+)/.exec(await namespace.run('dumpe2fs', ['-h', file]))?.[1];
  await overwrite(attached, Number(block), Number(size), 1);
}

interface Damaged {
  what: string;
  format: FilesystemType;
  code: string;
  damage: (attached: AttachedImage) => Promise<unknown>;
}

const damages: Damaged[] = [
  { what: 'ext4 that e2fsck cannot mend', format: 'ext4', code: 'FILESYSTEM_CORRUPT', damage: withoutTables },
  {
    what: 'ext4 with a folder that is none',
    format: 'ext4',
    code: 'FILESYSTEM_CORRUPT',
    damage: withoutFolder,
  },
  {
    what: 'ext4 without its superblock',
    format: 'ext4',
    code: 'FILESYSTEM_MISMATCH',
    damage: (attached) => overwrite(attached, 1, 1024, 1),
  },
  {
    what: 'ext4 with zeros where its superblock was',
    format: 'ext4',
    code: 'FILESYSTEM_MISSING',
    damage: ({ path: file }) =>
      scenario.cluster.run('dd', ['if=/dev/zero', `of=${file}`, 'bs=1M', 'count=1', 'conv=notrunc']),
  },
  {
    what: 'xfs without the heads of its first group, which cannot be mounted',
    format: 'xfs',
    code: 'FILESYSTEM_CORRUPT',
    damage: (attached) => overwrite(attached, 1, 512, 3),
  },
  {
    what: 'xfs with an inode that miscounts, which xfs_repair finds',
    format: 'xfs',
    code: 'FILESYSTEM_CORRUPT',
    damage: async ({ namespace, file }) => {
      const root = await namespace.run('xfs_db', ['-r', '-c', 'sb 0', '-c', 'print rootino', file]);
      const inode = ['-c', `inode ${/\d+/.exec(root)?.[0] ?? ''}`, '-c', 'write core.nlinkv2 77'];
      await namespace.run('xfs_db', ['-x', ...inode, file]);
    },
  },
];

async function damage({ image }: SeededClaim, how: Damaged['damage']): Promise<void> {
  const attached = await attachImage(scenario.cluster, image);
  await how(attached).finally(() => attached.detach());
}

/** What `prune` keeps and forgets of one claim. */
async function prune(...args: string[]) {
  const { code, json, stderr } = await scenario.cephbackup(['prune', '-o', 'json', ...args]);
  if (code !== 0) throw new Error(stderr);
  type Ids = { id: string }[];
  const { claims } = json as { claims: { uid: string; keep: Ids; forget: Ids }[] };
  return ({ uid }: SeededClaim) => {
    const own = claims.find((claim) => claim.uid === uid);
    const ids = (list: Ids = []) => list.map(({ id }) => id);
    return { keep: ids(own?.keep), forget: ids(own?.forget) };
  };
}

/** What a restore without a choice takes. */
async function restored({ name }: SeededClaim, env: Record<string, string>) {
  const target = await temporaryFolder('restored');
  const args = ['restore', `demo/${name}`, '--to-directory', target, '-o', 'json'];
  const { code, json, stderr } = await scenario.cephbackup(args, { env });
  if (code !== 0) throw new Error(stderr);
  const { snapshot, warnings } = json as { snapshot: string; warnings: string[] };
  return { snapshot, warnings: warnings.join(), text: await readFile(path.join(target, 'file'), 'utf8') };
}

async function digest(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

/** The image, by choice and without the API, is the disk in Ceph to the byte. */
async function expectSameDisk({ name, image }: SeededClaim, id: string): Promise<void> {
  const folder = await temporaryFolder('disk');
  const [file, source] = [path.join(folder, 'restored.raw'), path.join(folder, 'source.raw')];
  const to = ['--snapshot', id, '--to-file', file, '--format', 'raw', '-o', 'json'];
  const { code, json, stderr } = await scenario.cephbackup(['restore', `demo/${name}`, ...to], {
    env: withoutApi,
  });
  if (code !== 0) throw new Error(stderr);
  expect((json as { warnings: string[] }).warnings.join()).toContain('the whole disk, of a filesystem');
  await scenario.cluster.run('rbd', ['export', '--no-progress', image, source]);
  expect(await digest(file)).toBe(await digest(source));
}

/** Each run is of all of them, and so is each of the first tests. */
describe('a filesystem that cannot be mended', () => {
  const claims: SeededClaim[] = [];
  const first: string[] = [];
  const images: string[][] = damages.map(() => []);
  let marks: Record<string, string>[] = [];
  let failed: Report;

  const claimAt = (index: number): SeededClaim => {
    const claim = claims[index];
    if (claim === undefined) throw new Error('no claim');
    return claim;
  };
  const backup = (...args: string[]) => scenario.run({ args: ['--fsck', 'full', ...args] });

  beforeAll(async () => {
    scenario = await Scenario.create();
    for (const [index, { format }] of damages.entries()) {
      const size = format === 'xfs' ? '300M' : '64M';
      claims.push(await scenario.claim(`claim-${index}`, { format, fsType: format, size, fill }));
    }
    const good = await backup();
    first.push(...claims.map((claim) => good.volume(claim).snapshot ?? ''));
    for (const [index, { damage: how }] of damages.entries()) await damage(claimAt(index), how);
    failed = await backup();
    marks = await Promise.all(claims.map((claim) => scenario.annotations(claim)));
    for (let round = 0; round < 2; round += 1) {
      const before = await scenario.world();
      const report = await backup('--on-corrupt', 'image');
      await expectCleanWorld(before, scenario.worldScope, 40_000);
      expect(report).toMatchObject({ code: 1, leftovers: [] });
      for (const [index, claim] of claims.entries()) {
        const { error, outcome, snapshot, time, image } = report.volume(claim);
        const short = image?.snapshot.slice(0, 8) ?? 'none';
        expect({ outcome, snapshot, time }).toEqual({ outcome: 'failed', snapshot: null, time: null });
        expect(error).toMatchObject({ code: damages[index]?.code });
        expect(error?.message).toContain(`snapshot ${short}`);
        expect(error?.guidance).toContain(`--snapshot ${short}`);
        // Another filesystem than the claim's may be sound: fsck of ext4 would find an old superblock, and ruin it.
        const corrupt = damages[index]?.code === 'FILESYSTEM_CORRUPT';
        expect((error?.guidance ?? '').includes('fsck')).toBe(corrupt);
        expect(image?.bytesTotal).toBeGreaterThan(0);
        images[index]?.push(image?.snapshot ?? '');
      }
    }
  }, 600_000);

  test.each(damages.map(({ what }, index) => [what, index] as const))('%s', async (_, index) => {
    const claim = claimAt(index);
    const own = images[index] ?? [];
    // Nothing is saved unless that is asked for.
    const { code } = damages[index] ?? {};
    expect(failed.volume(claim)).toMatchObject({ outcome: 'failed', error: { code } });
    expect(failed.volume(claim).image).toBeUndefined();
    // The failure stays a failure, and no mark claims a backup.
    const attempt = expect.any(String) as unknown;
    expect(await scenario.annotations(claim)).toEqual({ ...marks[index], 'last-attempt': attempt });
    expect(marks[index]).toMatchObject({ 'last-snapshot': first[index], 'last-error': code });
    const saved = await scenario.snapshots(claim);
    expect(saved.map(({ id }) => id)).toEqual([first[index], ...own]);
    expect(saved.at(-1)?.tags).toContain('kind=rbd-block');
    await expectSameDisk(claim, own.at(-1) ?? '');
    const last = await restored(claim, withoutApi);
    expect(last).toMatchObject({ snapshot: first[index], text: 'good' });
    expect(last.warnings).toContain(`snapshot ${own.at(-1)?.slice(0, 8) ?? ''}`);
  });

  test('no command takes it for a backup', async () => {
    const claim = claimAt(0);
    expect(await restored(claim, {})).toMatchObject({ snapshot: first[0], text: 'good' });
    for (const env of [{}, withoutApi]) {
      const listed = await scenario.cephbackup(['snapshots', 'demo/claim-0', '-o', 'json'], { env });
      const { claims: known } = listed.json as { claims: { snapshots: { proof: string }[] }[] };
      expect(known[0]?.snapshots.map(({ proof }) => proof)).toEqual(['proven', 'image', 'image']);
    }
    const verified = await scenario.cephbackup(['verify', 'demo/claim-0', '-o', 'json']);
    expect(verified.json).toMatchObject({ claims: [{ snapshot: first[0], outcome: 'verified' }] });
    const status = await scenario.cephbackup(['status', '--repository', '-o', 'json']);
    const { volumes } = status.json as { volumes: { uid: string }[] };
    expect(volumes.find(({ uid }) => uid === claim.uid)).toMatchObject({
      repository: { newestSnapshot: first[0], problem: null },
    });
  });

  test('it pushes out no backup, and goes as the rules say once the files are backed up again', async () => {
    const last = await prune('--keep-last', '1', '--dry-run');
    for (const [index, claim] of claims.entries()) {
      const [older, newer] = images[index] ?? [];
      expect(last(claim)).toEqual({ keep: [first[index], newer], forget: [older] });
    }
    const claim = claimAt(0);
    const [older, newer] = images[0] ?? [];
    const two = await prune('--keep-last', '2', '--dry-run');
    expect(two(claim)).toEqual({ keep: [first[0], older, newer], forget: [] });
    await writeFilesystem(scenario.cluster, claim.image, 'ext4', fill);
    const mended = (await backup('--on-corrupt', 'image', '--pvc', 'demo/claim-0')).volume(claim);
    expect(mended).toMatchObject({ error: null });
    expect(mended.image).toBeUndefined();
    const again = await prune('--keep-last', '2', '--dry-run');
    expect(again(claim)).toEqual({ keep: [first[0], newer, mended.snapshot], forget: [older] });
    const gone = await prune('--keep-last', '1');
    expect(gone(claim)).toEqual({ keep: [mended.snapshot], forget: [first[0], older, newer] });
  });
});

test('what is seen only as it is read is the same', async () => {
  const claim = await scenario.claim('read', { fill });
  await damage(claim, withoutFolder);
  const report = await scenario.run({ args: ['--pvc', 'demo/read', '--on-corrupt', 'image'] });
  const { outcome, snapshot, error, image } = report.volume(claim);
  expect({ outcome, snapshot, error }).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: { code: 'READ_INCOMPLETE' },
  });
  await expectSameDisk(claim, image?.snapshot ?? '');
});

test('an image that cannot be saved is told, and leaves nothing that counts', async () => {
  const claim = await scenario.claim('unsaved', { fill });
  await damage(claim, withoutTables);
  const refusal = { mode: 'fail' as const, exitCode: 1, stderr: 'Fatal: no' };
  const faults = [{ program: 'restic', when: 'backup*kind=rbd-block*', ...refusal }];
  const report = await scenario.run({ faults, args: ['--pvc', 'demo/unsaved', '--on-corrupt', 'image'] });
  expect(report).toMatchObject({ code: 1, leftovers: [] });
  const volume = report.volume(claim);
  expect(volume).toMatchObject({ outcome: 'failed', error: { code: 'FILESYSTEM_CORRUPT' } });
  expect(volume.image).toBeUndefined();
  expect(volume.warnings.join()).toContain('no image of the volume could be saved: ');
  expect(await scenario.snapshots(claim)).toEqual([]);
});

test('a claim that has an image and no backup has nothing to be restored unasked', async () => {
  const claim = await scenario.claim('only', { fill });
  await damage(claim, withoutTables);
  const report = await scenario.run({ args: ['--pvc', 'demo/only', '--on-corrupt', 'image'] });
  const id = report.volume(claim).image?.snapshot ?? '';
  const target = await temporaryFolder('restored');
  const restore = ['restore', 'demo/only', '--to-directory', target, '-o', 'json'];
  const { code, json } = await scenario.cephbackup(restore, { env: withoutApi });
  expect({ code, json }).toMatchObject({ code: 1, json: { error: { code: 'SNAPSHOT_NOT_FOUND' } } });
  expect(JSON.stringify(json)).toContain(`snapshot ${id.slice(0, 8)} of`);
  expect(JSON.stringify(json)).toContain('the whole disk');
  const status = await scenario.cephbackup([
    'status',
    '--max-age',
    '26h',
    '-o',
    'json',
    '--pvc',
    'demo/only',
  ]);
  expect(status.code).toBe(1);
});

test('a volume that was never used has no image either', async () => {
  const claim = await scenario.claim('unused', { format: 'none' });
  const report = await scenario.run({ args: ['--pvc', 'demo/unused', '--on-corrupt', 'image'] });
  expect(report.volume(claim)).toMatchObject({ outcome: 'empty', error: null });
  expect(report.volume(claim).image).toBeUndefined();
  expect(await scenario.snapshots(claim)).toEqual([]);
});
