import { lstat, mkdir, mkdtemp, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { forgeSnapshot, type ForgedNode } from '../../sandbox/forge.js';
import { attempt, run } from '../../sandbox/process.js';
import { cephbackupProgram } from '../../sandbox/tools.js';
import { expectSameTree, makeHostileTree } from '../support/tree.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
/** What the volume contains. */
let tree = '';

/** restic does not remember which symbolic links share an inode, nor what an empty image's filesystem brings along. */
const except = (file: string) => file === 'lost+found';

const restore = (...args: string[]): Promise<Answer> =>
  here.current.command(['restore', 'app/files', '--cluster', 'all', ...args], here.current.repositoryEnv);

/** A folder that nobody has used. */
const fresh = () => mkdtemp(here.current.file('target-'));

beforeAll(async () => {
  const { current } = here;
  tree = current.file('tree');
  await mkdir(tree);
  await makeHostileTree(tree);
  await current.filesystemClaim('files', 160 * MiB, 'ext4', async (root) => {
    await run('cp', ['--archive', '--sparse=always', `${tree}/.`, root]);
  });
  await current.run();
});

describe('all of it', () => {
  test('into a new directory, in every respect; without Ceph and Kubernetes', async () => {
    const target = here.current.file('new/directory');
    const answer = await restore('--to-directory', target);
    expect(answer).toMatchObject({ code: 0, json: { verified: true, error: null, warnings: [] } });
    expect(answer.json.target.state).toBe('complete');
    expect(answer.json.files).toBeGreaterThan(50);
    await expectSameTree(tree, target, { except, sparse: true });
    // As the root of a new ext4 is.
    expect(await stat(target)).toMatchObject({ mode: 0o40755, uid: 0, gid: 0 });
  });

  test('over what is there: refused, and with --force overwritten, but nothing deleted', async () => {
    const target = await fresh();
    const outside = await fresh();
    await writeFile(`${outside}/precious`, 'precious');
    await writeFile(`${target}/of-somebody-else`, 'stays');
    await mkdir(`${target}/modes`);
    await writeFile(`${target}/modes/0644`, Buffer.alloc(20_000, 1));
    // Full where the backup has a hole.
    await mkdir(`${target}/sparse`);
    await writeFile(`${target}/sparse/only-a-hole`, Buffer.alloc(8 * MiB, 0xaa));
    // Links that lead out of the target, where the backup has a folder and files.
    await symlink(outside, `${target}/names`);
    await symlink(`${outside}/precious`, `${target}/modes/0400`);
    await run('ln', [`${outside}/precious`, `${target}/modes/0001`]);

    const refused = await restore('--to-directory', target);
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect(refused.json.target.state).toBe('untouched');
    expect((await readdir(target)).sort()).toEqual(['modes', 'names', 'of-somebody-else', 'sparse']);

    expect(await restore('--to-directory', target, '--force')).toMatchObject({ code: 0 });
    await expectSameTree(tree, target, { except: (file) => except(file) || file === 'of-somebody-else' });
    expect(await readFile(`${target}/of-somebody-else`, 'utf8')).toBe('stays');
    expect(await readdir(outside)).toEqual(['precious']);
    expect(await readFile(`${outside}/precious`, 'utf8')).toBe('precious');
  });

  test.each([
    ['a file', '/etc/hostname'],
    ['below a file', '/etc/hostname/below'],
    ['a directory with another filesystem in it', '/'],
    ['a directory of the kernel', '/proc/self/nothing'],
  ])('into %s: refused', async (_, target) => {
    const answer = await restore('--to-directory', target, '--force');
    expect(answer.code).toBe(1);
    expect(answer.json.error?.code).toMatch(/^TARGET_(UNSUITABLE|NOT_FOUND)$/);
    expect(answer.json.target.state).toBe('untouched');
  });

  test('into a directory without room: said so, with the state that it is in', async () => {
    const target = await fresh();
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', target]);
    try {
      const answer = await restore('--to-directory', target);
      expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_FULL' } } });
      expect(answer.json.target.state).toBe('incomplete');
      expect(answer.json.error?.message).toContain('--force');
    } finally {
      await run('umount', [target]);
    }
  });
});

describe('a part of it', () => {
  test('a folder arrives at TARGET/P, and nothing else does', async () => {
    const target = await fresh();
    expect(await restore('--to-directory', target, '--path', 'links')).toMatchObject({ code: 0 });
    expect(await readdir(target)).toEqual(['links']);
    await expectSameTree(`${tree}/links`, `${target}/links`);
  });

  test('a file with a hostile name is no pattern', async () => {
    const target = await fresh();
    const name = '*?[a-z]{1,2}';
    expect(await restore('--to-directory', target, '--path', `/names/${name}`)).toMatchObject({ code: 0 });
    expect(await readdir(`${target}/names`)).toEqual([name]);
  });

  test('that the backup does not have: an error, and no directory', async () => {
    const target = here.current.file('no-such-part');
    const answer = await restore('--to-directory', target, '--path', '/links/none');
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'PATH_NOT_FOUND' } } });
    await expect(lstat(target)).rejects.toThrow('ENOENT');
  });

  test('below a link in the target: refused, and nothing is written behind the link', async () => {
    const [target, outside] = [await fresh(), await fresh()];
    await symlink(outside, `${target}/links`);
    const answer = await restore('--to-directory', target, '--path', '/links/other/third', '--force');
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
    expect(await readdir(outside)).toEqual([]);
  });
});

describe('a hostile tree', () => {
  const file = (name: string, content: string): ForgedNode => ({
    name,
    type: 'file',
    content: Buffer.from(content),
  });

  /** A backup of the claim `app/hostile` with this content; `outside` has a file `secret` of mode 600. */
  async function restoreForged(make: (outside: string) => ForgedNode[], part: string[] = []) {
    const [outside, target] = [await fresh(), path.join(await fresh(), 'target')];
    await writeFile(`${outside}/secret`, 'secret', { mode: 0o600 });
    const tags = ['cluster=c', 'namespace=app', 'pvc=hostile', 'uid=u', 'pv=p', 'kind=cephfs'];
    const { repository, repositoryEnv } = here.current;
    const id = await forgeSnapshot(repository, make(outside), { tags, time: new Date().toISOString() });
    await mkdir(target);
    const args = ['restore', 'app/hostile', '--to-directory', target, '--snapshot', id, ...part];
    const answer = await here.current.command([...args, '--cluster', 'c'], repositoryEnv);
    expect(await readdir(outside)).toEqual(['secret']);
    expect(await readFile(`${outside}/secret`, 'utf8')).toBe('secret');
    expect((await stat(`${outside}/secret`)).mode & 0o7777).toBe(0o600);
    expect(await readdir(path.dirname(target))).toEqual(['target']);
    return { answer, target, outside };
  }

  test.each<[string, (outside: string) => ForgedNode[]]>([
    ['a folder called ..', () => [{ name: '..', type: 'dir', children: [file('escaped', 'x')] }]],
    ['names with a path', () => [file('../escaped', 'x'), file('a/../../escaped', 'x')]],
    ['a name that is absolute', (outside) => [file(`${outside}/escaped`, 'x')]],
    [
      'a link and a folder of one name',
      (outside) => [
        { name: 'd', type: 'symlink', linktarget: outside },
        { name: 'd', type: 'dir', children: [file('escaped', 'x'), file('empty', '')] },
      ],
    ],
    [
      'a link and a file of one name',
      (outside) => [
        { name: 'd', type: 'symlink', linktarget: `${outside}/secret` },
        { ...file('d', 'written through the link'), mode: 0o4777 } as ForgedNode,
      ],
    ],
    [
      'a link and an empty folder of one name',
      (outside) => [
        { name: 'd', type: 'symlink', linktarget: outside },
        { name: 'd', type: 'dir', children: [] },
      ],
    ],
  ])('%s: fails, and nothing leaves the target', async (_, make) => {
    const { answer } = await restoreForged(make);
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'RESTORE_FAILED' }, verified: false } });
  });

  test('devices are made, not opened; absolute links are made, not followed', async () => {
    const { answer, target } = await restoreForged((outside) => [
      { name: 'abs', type: 'symlink', linktarget: `${outside}/secret` },
      { name: 'disk', type: 'dev', device: 7 * 256 },
      { name: 'memory', type: 'chardev', device: 256 + 1 },
      file('zz', 'the end'),
    ]);
    expect(answer.code).toBe(0);
    expect((await lstat(`${target}/abs`)).isSymbolicLink()).toBe(true);
    expect((await lstat(`${target}/disk`)).isBlockDevice()).toBe(true);
    expect((await lstat(`${target}/memory`)).isCharacterDevice()).toBe(true);
  });
});

test('files are no disk: --to-file is refused with the reason', async () => {
  const answer = await restore('--to-file', here.current.file('disk'));
  expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
});

test('not as root: contents come back, with a warning; what only root can restore is an error that names it', async () => {
  const folder = await fresh();
  await run('chown', ['65534:65534', folder]);
  const env = { ...here.current.repositoryEnv, RESTIC_CACHE_DIR: `${folder}/cache` };
  // It may pass by the folders of this test, and nothing else.
  const caps = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  const user = ['--reuid=65534', '--regid=65534', '--clear-groups', ...caps];
  const unprivileged = async (...args: string[]) => {
    const command = [process.execPath, cephbackupProgram, 'restore', 'app/files', '-o', 'json', ...args];
    const { stdout } = await attempt('setpriv', [...user, ...command, '--cluster', 'all'], { env });
    return JSON.parse(stdout) as Answer['json'];
  };
  const part = await unprivileged('--to-directory', `${folder}/part`, '--path', '/links');
  expect(part).toMatchObject({ error: null, verified: true, target: { state: 'complete' } });
  expect(part.warnings.join()).toContain('not root');
  expect(await readFile(`${folder}/part/links/first`, 'utf8')).toBe('one inode, three names');

  const all = await unprivileged('--to-directory', `${folder}/all`);
  expect(all).toMatchObject({ error: { code: 'RESTORE_FAILED' }, target: { state: 'incomplete' } });
  expect(all.warnings.join()).toContain('special/null');
});
