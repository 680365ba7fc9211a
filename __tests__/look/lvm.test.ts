import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open as openFile, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { readPhysicalVolume } from '../../lib/look/lvm/physical-volume.js';
import { run } from '../../sandbox/process.js';
import { searchPath } from '../../sandbox/tools.js';
import { makeLvmDisk, physicalVolumes } from '../../sandbox/workload/lvm-disk.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { runCephbackup, startCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';
import { Library } from '../verify/library.js';

/** Real LVM makes the disk; real restic, QEMU, loop devices and filesystems show it. */
let library: Library;
let env: Record<string, string>;
let raw = '';
const MiB = 1024 * 1024;
/** Larger than any piece of the volume. */
const big = randomBytesOf(7, 30 * MiB + 11);

beforeAll(async () => {
  const folder = await temporaryFolder('look-lvm');
  library = await Library.create();
  env = { HOME: folder, ...library.repository.env };
  const image = async (name: string, size: string, files: Record<string, string | Buffer>) => {
    const root = path.join(folder, `${name}.files`);
    await mkdir(root);
    for (const [file, content] of Object.entries(files)) await writeFile(path.join(root, file), content);
    await run('mkfs.ext4', ['-q', '-m', '0', '-d', root, path.join(folder, name), size]);
    return path.join(folder, name);
  };
  raw = path.join(folder, 'disk.raw');
  await makeLvmDisk(raw, {
    root: await image('root', '40m', { hostname: 'machine\n', big }),
    home: await image('home', '16m', { letter: 'dear\n' }),
  });
  await library.disk('1', '2026-01-01 10:00:00', await asQcow2(raw));
});

async function asQcow2(file: string): Promise<Buffer> {
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-o', 'compat=1.1', file, `${file}.qcow2`]);
  return readFile(`${file}.qcow2`);
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const empty = async () => {
  const directory = path.join(await temporaryFolder('opened'), 'look');
  await mkdir(directory);
  return directory;
};

describe('a disk with LVM', () => {
  test('is shown by its volumes with --lvm, also where they lie in several pieces; the node’s LVM is not asked', async () => {
    const directory = await empty();
    // Whatever of LVM were started would leave its name.
    const programs = await temporaryFolder('programs');
    const asked = path.join(programs, 'asked');
    for (const name of ['lvm', 'lvs', 'pvscan', 'vgchange', 'dmsetup', 'kpartx'])
      await writeFile(path.join(programs, name), `#!/bin/sh\necho "$0" >>${asked}\n`, { mode: 0o755 });
    const path_ = `${programs}:${searchPath()}`;
    const program = startCephbackup(['open', 'app/1', directory, '--lvm'], { env: { ...env, PATH: path_ } });
    await program.said('Ctrl-C ends it');
    expect(await readdir(directory)).toEqual(['lvm']);
    expect((await readdir(path.join(directory, 'lvm/vg0'))).toSorted()).toEqual(['home', 'root']);
    expect(await readFile(path.join(directory, 'lvm/vg0/home/letter'), 'utf8')).toBe('dear\n');
    expect(hash(readFileSync(path.join(directory, 'lvm/vg0/root/big')))).toBe(hash(big));
    await expect(writeFile(path.join(directory, 'lvm/vg0/home/x'), '')).rejects.toThrow('EROFS');
    // A loop device with a label of LVM would be taken by the node's.
    const starts = execFileSync('losetup', ['--list', '--noheadings', '--raw', '--output', 'OFFSET']);
    for (const { start } of physicalVolumes)
      expect(starts.toString().split('\n')).not.toContain(String(start));
    program.kill('SIGINT');
    const { code, stderr } = await program.result;
    expect(code).toBe(0);
    expect(stderr).toMatch(/vg0\/striped .*not shown: it is striped over several physical volumes/);
    expect(stderr).toMatch(/vg0\/swap .*not shown: it holds nothing that is known/);
    expect(stderr).toMatch(/1 +64Mi +LVM2_member +not shown: it holds the LVM volume group vg0 \(/);
    await expect(readFile(asked)).rejects.toThrow('ENOENT');
    expect(await readdir(directory)).toEqual([]);
  });

  test('is named as what it is without, and the next command is said', async () => {
    const { code, stderr } = await runCephbackup(['open', 'app/1', await empty()], { env });
    expect(code).toBe(1);
    expect(stderr).toContain(
      'it holds the LVM volume group vg0 (root, home, swap, striped); --lvm shows its volumes',
    );
    expect(stderr).toContain('`cephbackup open app/1 DIRECTORY --lvm`');
    const target = [
      '--partition',
      '1',
      '--to-directory',
      path.join(await temporaryFolder('target'), 'files'),
    ];
    const restored = await runCephbackup(['restore', 'app/1', ...target, '-o', 'json'], { env });
    expect(restored).toMatchObject({ code: 1, json: { error: { code: 'FILESYSTEM_UNSUPPORTED' } } });
    expect(restored.stderr).toContain('open app/1 DIRECTORY --lvm');
  });

  test('of which one half is on another disk shows the volumes of its own', async () => {
    const half = `${raw}.half`;
    await run('cp', ['--sparse=always', raw, half]);
    await run('sfdisk', ['--quiet', '--delete', half, '2']);
    await library.disk('2', '2026-01-01 10:00:00', await asQcow2(half));
    const directory = await empty();
    const program = startCephbackup(['open', 'app/2', directory, '--lvm'], { env });
    await program.said('Ctrl-C ends it');
    expect(await readFile(path.join(directory, 'lvm/vg0/home/letter'), 'utf8')).toBe('dear\n');
    program.kill('SIGINT');
    expect((await program.result).stderr).toMatch(/vg0\/root .*not shown: a part of it is on another disk/);
  });

  test('whose label or description is spoiled is refused, whatever byte it is', async () => {
    const spoiled = `${raw}.spoiled`;
    const { start } = physicalVolumes[0] ?? { start: 0 };
    await run('cp', ['--sparse=always', raw, spoiled]);
    const file = await openFile(spoiled, 'r+');
    let refused = 0;
    try {
      // The label, and the header of the description.
      for (const from of [start + 512, start + 4096])
        for (let at = from; at < from + 160; at++) {
          const byte = Buffer.alloc(1);
          await file.read(byte, 0, 1, at);
          await file.write(Buffer.from([(byte[0] ?? 0) ^ 0xff]), 0, 1, at);
          const found = await readPhysicalVolume(file, start).catch((thrown: unknown) => thrown);
          if (found instanceof Error) {
            expect(found.message).toMatch(/^[a-z ]+$/);
            refused++;
          }
          await file.write(byte, 0, 1, at);
        }
    } finally {
      await file.close();
    }
    expect(refused).toBeGreaterThan(60);
  });
});
