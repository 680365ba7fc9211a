import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, open, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../sandbox/process.js';
import { makeDisk } from '../../sandbox/workload/partitioned-disk.js';
import { runCephbackup, startCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';
import { Library } from '../verify/library.js';

/** Real restic, real FUSE, real filesystems; neither Kubernetes nor Ceph. */
let library: Library;
let folder: string;
let env: Record<string, string>;

const MiB = 1024 * 1024;

beforeAll(async () => {
  folder = await temporaryFolder('look');
  library = await Library.create();
  env = { HOME: folder, ...library.repository.env };
  await library.files('1', { 'a/old.txt': 'old', top: 'top' }, '2026-01-01 10:00:00');
  await library.files('1', { 'a/old.txt': 'old', top: 'top', 'a/new.txt': 'new' }, '2026-01-02 10:00:00');
  await library.disk('2', '2026-01-01 10:00:00', await diskImage('plain', () => Promise.resolve()));
});

/** A disk with a filesystem, a partition that holds nothing known, and what `change` makes of it, as QCOW2. */
async function diskImage(name: string, change: (file: string) => Promise<void>): Promise<Buffer> {
  const file = path.join(folder, `${name}.raw`);
  await makeDisk(file, 64 * MiB, async (root) => {
    await mkdir(path.join(root, 'etc'));
    await writeFile(path.join(root, 'etc/hostname'), 'machine\n');
  });
  await change(file);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-o', 'compat=1.1', file, `${file}.qcow2`]);
  return readFile(`${file}.qcow2`);
}

async function writeAt(file: string, offset: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.close();
}

async function opened(claim: string) {
  const directory = path.join(await temporaryFolder('opened'), 'here it is');
  await mkdir(directory);
  const program = startCephbackup(['open', claim, directory], { env });
  await program.said('Ctrl-C ends it');
  return { directory, program };
}

const mounts = (directory: string) =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(directory.replaceAll(' ', '\\040')));

/** Processes in whose namespace something is mounted there. */
const holders = (directory: string) =>
  readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/mountinfo`, 'utf8').includes(directory);
    } catch {
      return false;
    }
  });

/** It is another process that unmounts where the program was killed. */
async function unmounted(directory: string): Promise<void> {
  while (mounts(directory).length > 0) await sleep(20);
}

describe('ls', () => {
  test('lists a folder as `ls -l`, a file itself, and nothing that is not there', async () => {
    const { code, stdout } = await runCephbackup(['ls', 'app/1', 'a/'], { env });
    expect(code).toBe(0);
    expect(stdout.split('\n')[1]).toMatch(/^-rw-r--r-- {3}0 {5}0 {5}3 {6}20\S+ \S+ {3}new.txt$/);
    const file = await runCephbackup(['ls', 'app/1', '/a/old.txt', '-o', 'json'], { env });
    expect(file.json).toMatchObject({ path: '/a/old.txt', entries: [{ path: '/a/old.txt', sizeBytes: 3 }] });
    const before = await runCephbackup(
      ['ls', 'app/1', '/a', '--as-of', '2026-01-01T23:00:00Z', '-o', 'json'],
      { env },
    );
    expect(before.json).toMatchObject({ entries: [{ path: '/a/old.txt' }] });
    const none = await runCephbackup(['ls', 'app/1', '/none', '-o', 'json'], { env });
    expect(none).toMatchObject({ code: 1, json: { error: { code: 'PATH_NOT_FOUND' } } });
  });

  test('tells when a path changed', async () => {
    const { json } = await runCephbackup(['ls', 'app/1', '--versions', '/a/new.txt', '-o', 'json'], { env });
    expect(json).toMatchObject({ versions: [{ time: '2026-01-02T10:00:00Z', entry: { sizeBytes: 3 } }] });
    const old = await runCephbackup(['ls', 'app/1', '--versions', 'a/old.txt', '-o', 'json'], { env });
    expect(old.json).toMatchObject({ versions: [{ time: '2026-01-01T10:00:00Z' }] });
  });
});

describe('open', () => {
  test('shows files read-only until Ctrl-C', async () => {
    const { directory, program } = await opened('app/1');
    expect(await readFile(path.join(directory, 'a/new.txt'), 'utf8')).toBe('new');
    await expect(writeFile(path.join(directory, 'x'), '')).rejects.toThrow('EROFS');
    expect(mounts(directory).at(-1)).toMatch(/ ro,nosuid,nodev,noexec,.*nosymfollow/);
    program.kill('SIGINT');
    expect((await program.result).code).toBe(0);
    expect(mounts(directory)).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'shows the partitions of a disk; nothing stays after %s, with a shell in it',
    async (signal) => {
      const { directory, program } = await opened('app/2');
      expect(await readdir(directory)).toEqual(['1']);
      expect(await readFile(path.join(directory, '1/etc/hostname'), 'utf8')).toBe('machine\n');
      await expect(writeFile(path.join(directory, '1/x'), '')).rejects.toThrow('EROFS');
      await expect(writeFile(path.join(directory, 'x'), '')).rejects.toThrow('EROFS');
      const handle = await open(path.join(directory, '1/etc/hostname'));
      program.kill(signal);
      const { code, stderr } = await program.result;
      expect(code).toBe(signal === 'SIGTERM' ? 143 : null);
      expect(stderr).toMatch(/2 +16Mi +nothing that is known +not shown/);
      await unmounted(directory);
      await handle.close();
      expect(await readdir(directory)).toEqual([]);
    },
  );

  test('keeps nothing mounted that the node unmounts meanwhile', async () => {
    const place = await temporaryFolder('shared');
    const inner = path.join(place, 'volume');
    execFileSync('mount', ['-t', 'tmpfs', 'node', place]);
    execFileSync('mount', ['--make-shared', place]);
    try {
      await mkdir(inner);
      execFileSync('mount', ['-t', 'tmpfs', 'volume', inner]);
      const { program } = await opened('app/1');
      execFileSync('umount', [inner]);
      expect(holders(inner)).toEqual([]);
      program.kill('SIGINT');
      await program.result;
    } finally {
      execFileSync('umount', [place]);
    }
  });

  test('refuses a directory with content, and a mount stays that was there before', async () => {
    const directory = await temporaryFolder('full');
    await writeFile(path.join(directory, 'mine'), '');
    const { code, stderr } = await runCephbackup(['open', 'app/1', directory], { env });
    expect({ code, told: stderr.includes('TARGET_EXISTS') }).toEqual({ code: 1, told: true });
    const mounted = path.join(await temporaryFolder('mounted'), 'point');
    await mkdir(mounted);
    execFileSync('mount', ['-t', 'tmpfs', 'mine', mounted]);
    try {
      const program = startCephbackup(['open', 'app/1', mounted], { env });
      await program.said('Ctrl-C ends it');
      program.kill('SIGINT');
      await program.result;
      expect(mounts(mounted)).toHaveLength(1);
    } finally {
      execFileSync('umount', [mounted]);
    }
  });
});

describe('a disk that was made to harm', () => {
  /** An entry of an MBR's table: its type, where it begins, how long it is, in sectors. */
  const entry = (type: number, start: number, sectors: number) => {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt8(type, 4);
    bytes.writeUInt32LE(start, 8);
    bytes.writeUInt32LE(sectors, 12);
    return bytes;
  };
  const table = (...entries: Buffer[]) =>
    Buffer.concat([...entries, Buffer.alloc(64 - 16 * entries.length), Buffer.from([0x55, 0xaa])]);

  test('has extended partitions in a loop, over each other and beyond its end: what is sound is shown', async () => {
    const image = await diskImage('loop', async (file) => {
      const extended = 100_000;
      await writeAt(
        file,
        446,
        table(
          entry(0x83, 2048, 63_488),
          entry(0x05, extended, 20_000),
          entry(0x83, 70_000, 2 ** 31),
          entry(0x83, 70_001, 10),
        ),
      );
      // Each points at itself.
      await writeAt(file, extended * 512 + 446, table(entry(0x83, 1, 10), entry(0x05, 0, 20_000)));
    });
    await library.disk('3', '2026-01-01 10:00:00', image);
    const { directory, program } = await opened('app/3');
    expect(await readFile(path.join(directory, '1/etc/hostname'), 'utf8')).toBe('machine\n');
    program.kill('SIGINT');
    const { stderr } = await program.result;
    expect(stderr).toMatch(/3 .* not shown: it reaches beyond the end of the disk/);
  });

  test('names a file of the node as its backing file: it is refused, and not read', async () => {
    const image = await diskImage('backing', () => Promise.resolve());
    const name = Buffer.from('/etc/passwd');
    image.writeBigUInt64BE(1024n, 8);
    image.writeUInt32BE(name.length, 16);
    name.copy(image, 1024);
    await library.disk('4', '2026-01-01 10:00:00', image);
    const directory = await temporaryFolder('refused');
    const { code, stderr } = await runCephbackup(['open', 'app/4', directory], { env });
    expect({ code, told: stderr.includes('BACKUP_DAMAGED') }).toEqual({ code: 1, told: true });
    expect(mounts(directory)).toEqual([]);
  });

  test('has a journal that is not replayed yet: it is, and nothing of it is written anywhere', async () => {
    const image = await diskImage('journal', async (file) => {
      const place = await temporaryFolder('machine');
      const copy = `${file}.running`;
      execFileSync('mount', ['-o', `loop,offset=${MiB}`, file, place]);
      await writeFile(path.join(place, 'late'), 'late');
      execFileSync('sync', ['-f', place]);
      // As the machine is copied while it runs.
      execFileSync('cp', ['--sparse=always', file, copy]);
      execFileSync('umount', [place]);
      execFileSync('mv', [copy, file]);
    });
    await library.disk('5', '2026-01-01 10:00:00', image);
    const { directory, program } = await opened('app/5');
    expect(await readFile(path.join(directory, '1/late'), 'utf8')).toBe('late');
    program.kill('SIGINT');
    expect((await program.result).code).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });

  test('has the UUIDs and the labels of filesystems that the node has mounted: those stay as they are', async () => {
    const file = path.join(folder, 'twins.raw');
    execFileSync('truncate', ['-s', '340M', file]);
    const make: Record<string, string[]> = {
      ext4: ['mkfs.ext4', '-q', '-F', '-L', 'ROOT', '-U', '11111111-2222-3333-4444-555555555555'],
      btrfs: ['mkfs.btrfs', '-q', '-f', '-L', 'DATA', '-U', '66666666-7777-8888-9999-000000000000'],
      vfat: ['mkfs.vfat', '-n', 'EFI'],
    };
    const parts = [
      { type: 'ext4', start: 1, size: 32 },
      { type: 'btrfs', start: 40, size: 120 },
      { type: 'vfat', start: 170, size: 40 },
    ];
    const lines = parts.map(({ start, size }) => `start=${start * 2048}, size=${size * 2048}\n`);
    await run('sfdisk', ['--quiet', file], { input: `label: gpt\n${lines.join('')}` });
    const mounted: string[] = [];
    const kept: string[] = [];
    try {
      for (const { type, start, size } of parts) {
        const own = path.join(folder, `node.${type}`);
        execFileSync('truncate', ['-s', `${size}M`, own]);
        execFileSync(make[type]?.[0] ?? '', [...(make[type]?.slice(1) ?? []), own]);
        // A second one with its UUID: mkfs.btrfs would refuse to make that.
        await writeAt(file, start * MiB, readFileSync(own));
        if (type === 'vfat') continue;
        const at = await temporaryFolder('node');
        execFileSync('mount', ['-o', 'loop', own, at]);
        mounted.push(at);
        kept.push(path.join(at, 'kept'));
        await writeFile(path.join(at, 'kept'), 'node');
      }
      await run('qemu-img', [
        'convert',
        '-f',
        'raw',
        '-O',
        'qcow2',
        '-o',
        'compat=1.1',
        file,
        `${file}.qcow2`,
      ]);
      await library.disk('6', '2026-01-01 10:00:00', await readFile(`${file}.qcow2`));
      const { directory, program } = await opened('app/6');
      expect(await readdir(path.join(directory, '1'))).toEqual(['lost+found']);
      const vfat = readFileSync('/proc/filesystems', 'utf8').includes('\tvfat\n');
      expect((await readdir(directory)).toSorted()).toEqual(vfat ? ['1', '3'] : ['1']);
      for (const one of kept) expect(await readFile(one, 'utf8')).toBe('node');
      program.kill('SIGINT');
      const { code, stderr } = await program.result;
      expect(code).toBe(0);
      expect(stderr).toMatch(/2 .* not shown: a btrfs with the same UUID is mounted on this node/);
      if (!vfat)
        expect(stderr).toMatch(
          /3 .* vfat .*not shown: this node's kernel has no filesystem "vfat", nor a module for it/,
        );
      for (const one of kept) await writeFile(one, 'still writable');
    } finally {
      for (const at of mounted) execFileSync('umount', [at]);
    }
  });
});
