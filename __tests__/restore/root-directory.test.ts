import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { mountImage, mountShare, whileMounted } from '../../sandbox/ceph.js';
import { run } from '../../sandbox/process.js';
import {
  formatEntry,
  parseEntry,
  type DirectoryAttributes,
} from '../../lib/tools/node/directory-attributes.js';
import { rootIn, rootNote } from '../../lib/repository/root-note.js';
import { differenceOf } from '../../lib/restore/files/root-directory.js';
import { freshGroup } from '../support/ceph.js';
import { FaultyPrograms } from '../support/faults.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
const group = freshGroup();
let share = '';

/** As an application wants it: a set-group-ID root of its own user, ACLs, and attributes with odd names and values. */
async function makeRoot(root: string): Promise<void> {
  await mkdir(`${root}/of-root`);
  await writeFile(`${root}/of-user`, 'content');
  await run('chown', ['1000:2000', root, `${root}/of-user`]);
  await run('chmod', ['2770', root]);
  await run('setfacl', ['-m', 'u:33:rwx', root]);
  await run('setfacl', ['-d', '-m', 'u:44:rx', root]);
  await run('setfattr', ['-n', 'user.a=b%c', '-v', '0x00ff0a3d', root]);
  await run('touch', ['-d', '2026-01-31T12:00:00Z', root]);
}

/** All of it, in words. */
async function describeRoot(root: string): Promise<Record<string, unknown>> {
  const { mode, uid, gid, mtime } = await stat(root);
  const acl = await run('getfacl', ['-n', '-p', '--omit-header', root]);
  const attributes = await run('getfattr', [
    '-h',
    '-d',
    '-m',
    '^user',
    '-e',
    'hex',
    '--absolute-names',
    root,
  ]);
  const lines = attributes.split('\n').filter((line) => line.includes('='));
  return { mode: (mode & 0o7777).toString(8), uid, gid, mtime: mtime.toISOString(), acl, lines };
}

const inImage = <T>(name: string, type: 'ext4' | 'xfs', look: (root: string) => Promise<T>) =>
  whileMounted(mountImage(here.current.cluster, here.current.image(name), type), look);

const inShare = <T>(directory: string, look: (root: string) => Promise<T>) =>
  whileMounted(mountShare(here.current.cluster, 'cephfs', directory), look);

const restore = (...args: string[]): Promise<Answer> => here.current.command(['restore', ...args]);

let expected: Record<string, unknown> = {};

beforeAll(async () => {
  const folder = await mkdtemp(here.current.file('root-'));
  await makeRoot(folder);
  expected = await describeRoot(folder);
  await here.current.filesystemClaim('ext4', 64 * MiB, 'ext4', makeRoot);
  share = await here.current.shareClaim('share', group, 64 * MiB, makeRoot);
  await here.current.run();
});

describe('the root directory of a volume comes back', () => {
  test('in a new image, a blank claim, one that is overwritten, and a drill looks at it', async () => {
    const { current } = here;
    const answer = await restore('app/ext4', '--to-image', current.image('new'));
    expect(answer).toMatchObject({ code: 0, json: { warnings: [] } });
    expect(await inImage('new', 'ext4', describeRoot)).toEqual(expected);

    await inImage('ext4', 'ext4', (root) => run('chmod', ['755', root]));
    expect(await restore('app/ext4', '--to-pvc', 'app/ext4', '--force')).toMatchObject({ code: 0 });
    expect(await inImage('ext4', 'ext4', describeRoot)).toEqual(expected);
    // A part leaves what is above it.
    await inImage('ext4', 'ext4', (root) => run('chmod', ['750', root]));
    const args = ['--to-pvc', 'app/ext4', '--path', '/of-user', '--force'];
    expect(await restore('app/ext4', ...args)).toMatchObject({ code: 0 });
    expect(await inImage('ext4', 'ext4', async (root) => (await stat(root)).mode & 0o777)).toBe(0o750);

    const drill = await current.command(['verify', 'app/ext4', '--drill']);
    expect(drill).toMatchObject({ code: 0 });
    // A tar that gives the root directory nothing, and says that it did.
    const lie = { program: 'tar', when: '--extract*', mode: 'lie' as const };
    const env = { ...current.env, PATH: new FaultyPrograms([lie], current.env.PATH).path };
    const wrong = await current.command(['verify', 'app/ext4', '--drill'], env);
    expect(wrong.code).toBe(1);
    expect(JSON.stringify(wrong.json)).toContain('the root directory has the mode');
  });

  test('in a share, from a share, and in a directory; one with content keeps its own', async () => {
    const { current } = here;
    const where = await current.shareClaim('other', group, 64 * MiB);
    expect(await restore('app/share', '--to-pvc', 'app/other')).toMatchObject({ code: 0 });
    const [came, was] = [await inShare(where, describeRoot), await inShare(share, describeRoot)];
    expect(came).toEqual(was);
    expect(came).toMatchObject({ mode: '2770', uid: 1000, gid: 2000 });

    const directory = current.file('directory');
    expect(await restore('app/ext4', '--to-directory', directory)).toMatchObject({ code: 0 });
    expect(await describeRoot(directory)).toEqual(expected);

    const own = await mkdtemp(current.file('own-'));
    await writeFile(`${own}/there`, 'before');
    const before = await stat(own);
    expect(await restore('app/ext4', '--to-directory', own, '--force')).toMatchObject({ code: 0 });
    expect(await stat(own)).toMatchObject({ mode: before.mode, uid: before.uid, gid: before.gid });
    await rm(own, { recursive: true });
  });

  test("a snapshot's paths and tags are what they were", async () => {
    const [snapshot] = await here.current.repository.snapshots('--tag', 'pvc=ext4');
    expect(snapshot?.paths).toEqual(['/run/cephbackup/volume']);
    expect(snapshot?.tags).toHaveLength(6);
  });
});

describe('what is noted of it', () => {
  const root: DirectoryAttributes = {
    mode: 0o2770,
    uid: 4_000_000_000,
    gid: 7,
    mtime: '1769860800.123456789',
    xattrs: [
      ['trusted.t', ''],
      ['user.a=b%c', 'AP8KPQ=='],
      ['user.long', Buffer.alloc(3000, 1).toString('base64')],
    ],
  };

  test('is read as it was written, by tar and by the note', () => {
    expect(parseEntry(formatEntry(root))).toEqual(root);
    expect(rootIn(['/lost', rootNote(root) ?? ''])).toEqual(root);
  });

  test('is not believed where it makes no sense, and not written where it does not fit', () => {
    const forged = (fields: object) => rootNote({ ...root, ...fields }) ?? '';
    for (const fields of [
      { mode: 0o100000 },
      { uid: -1 },
      { gid: 'x' },
      { mtime: '1\n2' },
      { xattrs: null },
    ]) {
      expect(rootIn([forged(fields)])).toBeNull();
    }
    expect(rootIn([])).toBeNull();
    expect(rootIn(['/.cephbackup/root-directory/###'])).toBeNull();
    const large: [string, string] = ['user.large', Buffer.alloc(100_000).toString('base64')];
    expect(rootNote({ ...root, xattrs: [large] })).toBeNull();
  });

  test('differs where mode, owner or an attribute differs', () => {
    expect(differenceOf(root, { ...root, mtime: '0' })).toBeNull();
    expect(differenceOf(root, { ...root, mode: 0o770 })).toContain('770 instead of 2770');
    expect(differenceOf(root, { ...root, gid: 8 })).toContain(':8 instead of');
    expect(differenceOf(root, { ...root, xattrs: root.xattrs.slice(1) })).toContain('trusted.t');
  });
});
