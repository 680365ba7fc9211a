import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mountShare, type MountedVolume } from '../../sandbox/ceph.js';
import { searchPath } from '../../sandbox/tools.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeTree } from '../support/tree.js';
import { Rig, type BackupOptions } from './rig.js';

let rig: Rig;
/** The root of the filesystem, as an administrator sees it. */
let root: MountedVolume;
let path: string;
let base: string;
beforeAll(async () => {
  rig = await Rig.create();
  path = await rig.subvolume('shared');
  base = `/volumes/${rig.group}/shared`;
  root = await mountShare(rig.cluster, 'cephfs', '/');
  await mkdir(`${root.path}${path}/app/data`, { recursive: true });
  await writeFile(`${root.path}${path}/app/data/file`, 'of the app', { flush: true });
  await writeFile(`${root.path}${path}/other`, 'of others', { flush: true });
});
afterAll(() => root.unmount());

/** Backs up, sees that no snapshot is left anywhere, and returns the names in the restored tree. */
async function contents(volume: PlannedVolume, options?: BackupOptions): Promise<string[]> {
  const { result, leftovers } = await rig.backup(volume, options);
  expect(result).toMatchObject({ outcome: 'succeeded', error: null });
  expect(leftovers).toEqual([]);
  const restored = await temporaryFolder();
  await rig.repository.restore(result.snapshot ?? '', restored);
  return [...(await describeTree(restored)).keys()];
}

async function errorOf(volume: PlannedVolume, options?: BackupOptions): Promise<string> {
  const { result, leftovers } = await rig.backup(volume, options);
  expect(result).toMatchObject({ outcome: 'failed', snapshot: null });
  expect(leftovers).toEqual([]);
  expect(result.error?.guidance).not.toBe('');
  return result.error?.code ?? '';
}

const snapshotsIn = (directory: string) => readdir(`${root.path}${directory}/.snap`);

describe('a static volume', () => {
  test('that is a subvolume is backed up by a snapshot of the subvolume', async () => {
    const steps: string[] = [];
    const seen = async () => {
      steps.push(...(await rig.snapshots('shared')));
    };
    let looked: Promise<void> = Promise.resolve();
    const onStep = (step: string) => {
      if (step === 'backing up') looked = seen();
    };
    const names = await contents(rig.fixed('whole', path), { onStep });
    await looked;
    expect(names).toEqual(['app', 'app/data', 'app/data/file', 'other']);
    expect(steps).toEqual([expect.stringMatching(/^cephbackup-/)]);
    expect(await rig.snapshots('shared')).toEqual([]);
  });

  test('within a subvolume is backed up alone', async () => {
    expect(await contents(rig.fixed('part', `${path}/app`))).toEqual(['data', 'data/file']);
    expect(await rig.snapshots('shared')).toEqual([]);
  });

  test('on the directory of a subvolume, above its data, has all that is there', async () => {
    const names = await contents(rig.fixed('above', base));
    expect(names.filter((name) => name.endsWith('/file'))).toEqual([
      `${path.slice(base.length + 1)}/app/data/file`,
    ]);
    expect(await snapshotsIn(base)).toEqual([]);
  });

  test('on a plain directory is backed up by a snapshot of that directory', async () => {
    const directory = `/plain-${rig.group}/with space, comma`;
    await mkdir(`${root.path}${directory}/app`, { recursive: true });
    await writeFile(`${root.path}${directory}/app/file`, 'x', { flush: true });
    expect(await contents(rig.fixed('plain', directory))).toEqual(['app', 'app/file']);
    expect(await snapshotsIn(directory)).toEqual([]);

    // Its snapshot is removed by a second client. Where that cannot be, the snapshot is what is left, and no mount.
    const fault: Fault = { program: 'ceph-fuse', when: '*', mode: 'fail', skip: 1 };
    const { path: faulty } = new FaultyPrograms([fault], searchPath());
    const { result, leftovers } = await rig.backup(rig.fixed('plain', directory), { path: faulty });
    expect(result.error).toBeNull();
    const [name = ''] = await snapshotsIn(directory);
    expect(leftovers).toMatchObject([{ kind: 'snapshot', name: `cephfs:${directory}/.snap/${name}` }]);
    expect((await rig.sweep([rig.fixed('plain', directory)])).removed).toHaveLength(1);
    expect(await snapshotsIn(directory)).toEqual([]);
    await rm(`${root.path}/plain-${rig.group}`, { recursive: true });
  });

  test('on the root of the filesystem has the subvolumes, too', async () => {
    // Only this test file's own part is looked at: others write at the same time, and are in the snapshot as well.
    const { result } = await rig.backup(rig.fixed('root', '/'));
    expect(result).toMatchObject({ outcome: 'succeeded', error: null });
    const listing = await rig.repository.restic('ls', '--recursive', result.snapshot ?? '', path);
    expect(listing).toContain(`${path}/app/data/file`);
    expect((await snapshotsIn('/')).filter((name) => name.startsWith('cephbackup-'))).toEqual([]);
  });

  test('on a directory that does not exist fails, and says so', async () => {
    expect(await errorOf(rig.fixed('missing', '/nowhere'))).toBe('DIRECTORY_NOT_FOUND');
    expect(await errorOf(rig.fixed('missing', `${path}/nowhere`))).toBe('DIRECTORY_NOT_FOUND');
    expect(await errorOf(rig.fixed('missing', `${base}-not/x`))).toBe('SUBVOLUME_NOT_FOUND');
    expect(await rig.snapshots('shared')).toEqual([]);
  });

  test('never leads out of the snapshot by a link that a tenant put in its way', async () => {
    await symlink('/etc', `${root.path}${path}/trap`);
    await symlink('app', `${root.path}${path}/detour`);
    for (const where of ['trap/apt', 'detour']) {
      expect(await errorOf(rig.fixed('trap', `${path}/${where}`))).toBe('DIRECTORY_NOT_FOUND');
    }
    await rm(`${root.path}${path}/trap`);
    await rm(`${root.path}${path}/detour`);
  });

  test('with a hostile path is refused before anything is started', async () => {
    expect(await errorOf(rig.fixed('hostile', '/a/$cluster/../b'))).toBe('SOURCE_NAME_INVALID');
  });

  test('on a directory where Ceph takes no snapshots fails with guidance, and is not read', async () => {
    const directory = `/marked-${rig.group}`;
    await mkdir(`${root.path}${directory}/below`, { recursive: true });
    await rig.cluster.run('setfattr', ['-n', 'ceph.dir.subvolume', '-v', '1', `${root.path}${directory}`]);
    expect(await errorOf(rig.fixed('marked', `${directory}/below`))).toBe('SNAPSHOT_IMPOSSIBLE');
    await rm(`${root.path}${directory}`, { recursive: true });
  });
});

describe('one subvolume of several claims', () => {
  const commands = (programs: FaultyPrograms, what: string) =>
    programs.calls().filter((call) => call.startsWith('ceph ') && call.includes(what));

  /** Backs up the first volume, and the others as soon as its snapshot is being taken. */
  async function together(
    [first, ...others]: [PlannedVolume, ...PlannedVolume[]],
    options: BackupOptions,
    name = rig.nextName(),
  ) {
    const all = { ...options, driver: rig.driver(options) };
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const onStep = (step: string) => {
      if (step === 'taking snapshot') begin();
    };
    const leading = rig.backup(first, { ...all, name, onStep });
    await begun;
    return Promise.all([leading, ...others.map((volume) => rig.backup(volume, all))]);
  }

  test('is snapshotted once for those that are backed up together, and stays until the last has read it', async () => {
    // The first claim, whose name the snapshot bears, is done seconds before the others have begun to read.
    const late: Fault = { program: 'restic', when: 'backup *host=k8s-team-nspvc-late*', mode: 'delay' };
    const programs = new FaultyPrograms([late], searchPath(), ['ceph']);
    const whole = (name: string) => rig.fixed(name, path);
    const part = rig.fixed('late-part', `${path}/app`);
    const volumes: [PlannedVolume, ...PlannedVolume[]] = [
      whole('early'),
      whole('late-1'),
      whole('late-2'),
      part,
    ];
    const outcomes = await together(volumes, { path: programs.path });
    for (const { result, leftovers } of outcomes) {
      expect(result).toMatchObject({ outcome: 'succeeded', error: null });
      expect(leftovers).toEqual([]);
    }
    expect(commands(programs, 'snapshot create')).toHaveLength(1);
    expect(commands(programs, 'snapshot rm')).toHaveLength(1);
    const backups = await Promise.all(volumes.map(({ host }) => rig.repository.snapshots('--host', host)));
    expect(backups.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    expect(new Set(backups.flat().map(({ time }) => time)).size).toBe(1);
    const [first, ...others] = backups.flat().map(({ tree }) => tree);
    expect(others).toEqual([first, first, expect.not.stringMatching(first ?? '')]);
    expect(await rig.snapshots('shared')).toEqual([]);
  });

  test('is snapshotted again for the others where it fails for one', async () => {
    const name = rig.nextName();
    const fault = { program: 'ceph', when: `*snapshot create*${name}*` };
    const programs = new FaultyPrograms(
      [
        { ...fault, mode: 'delay' },
        { ...fault, mode: 'fail-after' },
      ],
      searchPath(),
    );
    const volumes: [PlannedVolume, PlannedVolume] = [rig.fixed('unlucky', path), rig.fixed('lucky', path)];
    const [failed, succeeded] = await together(volumes, { path: programs.path }, name);
    expect(failed).toMatchObject({ result: { outcome: 'failed' }, leftovers: [] });
    expect(succeeded).toMatchObject({ result: { outcome: 'succeeded', error: null }, leftovers: [] });
    expect(await rig.snapshots('shared')).toEqual([]);
  });
});

describe('a read-only volume that shows a snapshot', () => {
  const snapshot = 'csi-snap-11111111-2222-3333-4444-555555555555';
  beforeAll(async () => {
    await rig.cluster.ceph(
      `fs subvolume snapshot create cephfs shared ${snapshot} --group_name ${rig.group}`,
    );
    await writeFile(`${root.path}${path}/later`, 'x', { flush: true });
  });

  const backed = (claim: string, attributes: Record<string, string>) =>
    rig.volume(`team/${claim}`, { fsName: 'cephfs', ...attributes });

  test('is backed up from it; none is created, and it stays', async () => {
    const handle = `0001-0007-sandbox-0000000000000001-${snapshot.slice('csi-snap-'.length)}`;
    const attributes = { subvolumeName: 'csi-vol-x', backingSnapshot: 'true', backingSnapshotID: handle };
    const dynamic = backed('shallow', { ...attributes, subvolumePath: base });
    expect(await contents(dynamic)).toEqual(['app', 'app/data', 'app/data/file', 'other']);
    const fixed = { staticVolume: 'true', rootPath: path, backingSnapshotID: snapshot.slice(9, 20) };
    expect(await contents(backed('static', fixed))).toEqual(['app', 'app/data', 'app/data/file', 'other']);
    expect(await rig.snapshots('shared')).toEqual([snapshot]);
  });

  test('fails where the snapshot is gone, or cannot be told', async () => {
    const gone = { staticVolume: 'true', rootPath: path, backingSnapshotID: 'csi-snap-gone' };
    expect(await errorOf(backed('gone', gone))).toBe('BACKING_SNAPSHOT_NOT_FOUND');
    const unknown = { subvolumeName: 'csi-vol-x', backingSnapshot: 'true', subvolumePath: base };
    expect(await errorOf(backed('unknown', unknown))).toBe('BACKING_SNAPSHOT_NOT_FOUND');
    expect(await rig.snapshots('shared')).toEqual([snapshot]);
  });
});
