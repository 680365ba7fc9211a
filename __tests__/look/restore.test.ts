import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../sandbox/process.js';
import { observeNode } from '../../sandbox/world/node.js';
import { searchPath } from '../../sandbox/tools.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { runCephbackup, startCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';
import { Library } from '../verify/library.js';

/** Real restic, QEMU, loop devices and filesystems; neither Kubernetes nor Ceph. */
let library: Library;
let env: Record<string, string>;
const MiB = 1024 * 1024;
const big = randomBytesOf(5, 3 * MiB + 17);

/** Where each partition is, in MiB. */
const layout = [
  { type: 'ext4', start: 1, size: 32, make: ['mkfs.ext4', '-q', '-F'] },
  { type: 'xfs', start: 40, size: 320, make: ['mkfs.xfs', '-q', '-f'] },
  { type: 'btrfs', start: 400, size: 120, make: ['mkfs.btrfs', '-q', '-f'] },
  { type: 'nothing', start: 530, size: 4, make: null },
];

beforeAll(async () => {
  const folder = await temporaryFolder('look-restore');
  library = await Library.create();
  env = { HOME: folder, TMPDIR: folder, ...library.repository.env };
  const file = path.join(folder, 'disk.raw');
  execFileSync('truncate', ['-s', `${540 * MiB}`, file]);
  const table = layout.map(({ start, size }) => `start=${start * 2048}, size=${size * 2048}\n`);
  await run('sfdisk', ['--quiet', file], { input: `label: gpt\n${table.join('')}` });
  const place = await temporaryFolder('machine');
  for (const { start, size, make } of layout) {
    if (make === null) continue;
    const at = ['--offset', String(start * MiB), '--sizelimit', String(size * MiB)];
    const device = execFileSync('losetup', ['--find', '--show', ...at, file])
      .toString()
      .trim();
    execFileSync(make[0] ?? '', [...make.slice(1), device]);
    execFileSync('mount', [device, place]);
    await fill(place);
    // Another test's namespace may keep what is unmounted here.
    execFileSync('sync', ['-f', place]);
    execFileSync('umount', [place]);
    execFileSync('losetup', ['--detach', device]);
  }
  await library.disk('1', '2026-01-01 10:00:00', await asQcow2(file));
  await library.segments('4', '2026-01-01 10:00:00', file);
  await library.files('2', { top: 'top' }, '2026-01-01 10:00:00');
  const bare = path.join(folder, 'bare.raw');
  execFileSync('mkfs.ext4', ['-q', '-d', await smallRoot(), bare, '16m']);
  await library.disk('3', '2026-01-01 10:00:00', await asQcow2(bare));
});

async function asQcow2(file: string): Promise<Buffer> {
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-o', 'compat=1.1', file, `${file}.qcow2`]);
  return readFileSync(`${file}.qcow2`);
}

async function smallRoot(): Promise<string> {
  const root = await temporaryFolder('root');
  await writeFile(path.join(root, 'whole'), 'whole\n');
  return root;
}

/** Everything that a file may be, and what a hostile one may try. */
async function fill(root: string): Promise<void> {
  const at = (name: string) => path.join(root, name);
  await mkdir(at('etc/app'), { recursive: true });
  await writeFile(at('etc/app/a\nname'), 'strange');
  await writeFile(at('etc/app/-rf'), 'option');
  await writeFile(at('etc/app/big'), big);
  await symlink('/etc/passwd', at('etc/passwd'));
  await symlink('/', at('out'));
  execFileSync('ln', [at('etc/app/big'), at('etc/app/again')]);
  execFileSync('mkfifo', [at('etc/app/fifo')]);
  execFileSync('mknod', [at('etc/app/null'), 'c', '1', '3']);
  execFileSync('truncate', ['-s', '64M', at('etc/app/sparse')]);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', at('etc/app/big')]);
  execFileSync('setfacl', ['-m', 'u:1234:rx', at('etc/app')]);
  execFileSync('chown', ['1000:1001', at('etc/app/-rf')]);
  execFileSync('chmod', ['4711', at('etc/app/-rf')]);
  execFileSync('chmod', ['750', at('etc')]);
  execFileSync('touch', ['-d', '2001-02-03 04:05:06.789', at('etc/app/big')]);
}

const target = async () => path.join(await temporaryFolder('target'), 'files');
const restore = (args: string[]) => runCephbackup(['restore', ...args, '-o', 'json'], { env });
/** restic alone made these backups, so that nobody has recorded what was proven. */
const noRecord = [expect.stringContaining('kept no record of what it proved') as unknown as string];

describe('restore --partition', () => {
  test.each([
    [1, 'ext4'],
    [2, 'xfs'],
    [3, 'btrfs'],
  ])('takes a folder out of partition %d (%s), with all that its files are', async (number) => {
    const directory = await target();
    const args = ['app/1', '--partition', String(number), '--path', 'etc/app', '--to-directory', directory];
    const { code, json, stderr } = await restore(args);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(json).toMatchObject({
      partition: number,
      path: '/etc/app',
      verified: true,
      target: { type: 'directory', state: 'complete' },
      files: 9,
      bytesWritten: big.length + 64 * MiB + 13,
      warnings: noRecord,
      leftovers: [],
    });
    const at = (name: string) => path.join(directory, 'etc/app', name);
    expect(await readdir(directory)).toEqual(['etc']);
    expect(await readdir(path.join(directory, 'etc'))).toEqual(['app']);
    expect(statSync(path.join(directory, 'etc')).mode & 0o777).toBe(0o750);
    expect(hash(readFileSync(at('big')))).toBe(hash(big));
    expect(statSync(at('big')).ino).toBe(statSync(at('again')).ino);
    expect(statSync(at('big')).mtime.toISOString()).toBe('2001-02-03T04:05:06.789Z');
    expect(readFileSync(at('a\nname'), 'utf8')).toBe('strange');
    expect(lstatSync(at('-rf'))).toMatchObject({ uid: 1000, gid: 1001, mode: 0o104711 });
    expect(lstatSync(at('fifo')).isFIFO()).toBe(true);
    expect(lstatSync(at('null')).rdev).toBe(statSync('/dev/null').rdev);
    expect(statSync(at('sparse'))).toMatchObject({ size: 64 * MiB });
    expect(statSync(at('sparse')).blocks).toBeLessThan(1000);
    const attributes = execFileSync('getfattr', ['-d', '-m', '-', '--absolute-names', at('big')]).toString();
    expect(attributes).toContain('user.note="kept"');
    expect(execFileSync('getfacl', ['-n', at('.')]).toString()).toContain('user:1234:r-x');
  });

  test('takes everything, links as links, into a new directory; with --force over what is there, and deletes nothing', async () => {
    const directory = await target();
    expect((await restore(['app/1', '--partition', '1', '--to-directory', directory])).code).toBe(0);
    expect(readlinkSync(path.join(directory, 'etc/passwd'))).toBe('/etc/passwd');
    expect(readlinkSync(path.join(directory, 'out'))).toBe('/');
    const refused = await restore(['app/1', '--partition', '1', '--to-directory', directory]);
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    await writeFile(path.join(directory, 'mine'), 'mine');
    await writeFile(path.join(directory, 'etc/app/big'), 'changed');
    execFileSync('chmod', ['700', directory]);
    const again = await restore(['app/1', '--partition', '1', '--to-directory', directory, '--force']);
    expect(again).toMatchObject({ code: 0, json: { verified: true } });
    expect(hash(readFileSync(path.join(directory, 'etc/app/big')))).toBe(hash(big));
    expect(readFileSync(path.join(directory, 'mine'), 'utf8')).toBe('mine');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test('follows no link out of the disk, nor out of the target', async () => {
    const directory = await target();
    const out = await restore([
      'app/1',
      '--partition',
      '1',
      '--path',
      'out/etc',
      '--to-directory',
      directory,
    ]);
    expect(out).toMatchObject({ code: 1, json: { error: { code: 'PATH_NOT_FOUND' } } });
    await mkdir(directory);
    const elsewhere = await temporaryFolder('elsewhere');
    await symlink(elsewhere, path.join(directory, 'etc'));
    const args = ['app/1', '--partition', '1', '--path', 'etc/app', '--to-directory', directory, '--force'];
    expect(await restore(args)).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
    expect(await restore(args.filter((arg) => !/path|etc/.test(arg)))).toMatchObject({ code: 0 });
    expect(await readdir(elsewhere)).toEqual([]);
    expect(lstatSync(path.join(directory, 'etc')).isDirectory()).toBe(true);
  });

  test('says what is not there, and what cannot be looked into, before it makes anything', async () => {
    const directory = await target();
    const cases: [string[], string, RegExp][] = [
      [['app/1', '--partition', '9'], 'PATH_NOT_FOUND', /no partition 9, but 1 \(32Mi\), 2 \(320Mi\)/],
      [['app/1', '--partition', '4'], 'FILESYSTEM_UNSUPPORTED', /partition 4 .* nothing that is known/],
      [['app/1', '--partition', '1', '--path', 'none/x'], 'PATH_NOT_FOUND', /no "\/none"/],
      [['app/2', '--partition', '1'], 'TARGET_UNSUITABLE', /backup of files/],
      [['app/1', '--path', 'etc'], 'TARGET_UNSUITABLE', /--partition N/],
    ];
    for (const [args, code, message] of cases) {
      const { json } = await restore([...args, '--to-directory', directory]);
      expect(json).toMatchObject({ error: { code } });
      expect((json as { error: Error }).error.message).toMatch(message);
    }
    expect(() => statSync(directory)).toThrow('ENOENT');
  });

  test('takes a file out of a disk without a table', async () => {
    const directory = await target();
    const args = ['app/3', '--partition', '0', '--path', 'whole', '--to-directory', directory];
    expect(await restore(args)).toMatchObject({ code: 0, json: { files: 1, bytesWritten: 6 } });
    expect(readFileSync(path.join(directory, 'whole'), 'utf8')).toBe('whole\n');
  });

  test('sees what was written wrongly, and a disk that cannot be read to its end', async () => {
    const programs = await temporaryFolder('programs');
    const args = ['restore', 'app/3', '--partition', '0', '--path', 'whole', '-o', 'json'];
    const withTar = async (script: string) => {
      await writeFile(path.join(programs, 'tar'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return runCephbackup([...args, '--to-directory', await target()], {
        env: { ...env, PATH: `${programs}:${searchPath()}` },
      });
    };
    const spoiled = await withTar(
      `/usr/bin/tar "$@" || exit; case " $* " in *" --extract "*) printf other > /run/cephbackup/volume/whole;; esac`,
    );
    expect(spoiled).toMatchObject({
      code: 1,
      json: { error: { code: 'RESTORE_UNVERIFIED' }, verified: false, target: { state: 'incomplete' } },
    });
    const broken = await withTar(
      `/usr/bin/tar "$@"; case " $* " in *" --create "*) echo 'tar: ./whole: Read error: Input/output error' >&2; exit 2;; esac`,
    );
    expect(broken).toMatchObject({ code: 1, json: { error: { code: 'RESTORE_FAILED' } } });
  });

  test('takes files out of a disk that was backed up in segments', async () => {
    const directory = await target();
    const { code, json } = await restore(['app/4', '--partition', '2', '--to-directory', directory]);
    expect({ code, json }).toMatchObject({
      code: 0,
      json: { verified: true, warnings: noRecord, leftovers: [] },
    });
    expect(hash(readFileSync(path.join(directory, 'etc/app/big')))).toBe(hash(big));
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('leaves no device and no process after %s', async (signal) => {
    const directory = await target();
    const program = startCephbackup(['restore', 'app/4', '--partition', '2', '--to-directory', directory], {
      env,
    });
    await program.said('restoring files into');
    program.kill(signal);
    expect((await program.result).code).toBe(signal === 'SIGTERM' ? 143 : null);
    const left = async () => {
      const found = await observeNode({ words: [], temporary: env.TMPDIR ?? '' });
      return found.filter((line) => !line.startsWith('file '));
    };
    const deadline = performance.now() + 30_000;
    while ((await left()).length > 0 && performance.now() < deadline) await sleep(100);
    expect(await left()).toEqual([]);
  });
});

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
