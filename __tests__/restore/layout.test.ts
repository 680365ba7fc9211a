import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { attachImage, mountImage } from '../../sandbox/ceph.js';
import { run } from '../../sandbox/process.js';
import { filesystemIn, filesystemNote } from '../../lib/repository/filesystem-note.js';
import { parseLayout, type FilesystemLayout } from '../../lib/tools/node/filesystem-layout.js';
import {
  mkfsArguments,
  parseMkfsOptions,
  type FormattableType,
  type Making,
} from '../../lib/tools/node/new-filesystem.js';
import { scene } from './scene.js';

const MiB = 1024 * 1024;
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'layout-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function layoutOf(file: string): Promise<FilesystemLayout | null> {
  const handle = await open(file);
  try {
    const bytes = Buffer.alloc(2048);
    await handle.read(bytes, 0, bytes.length, 0);
    return parseLayout(bytes);
  } finally {
    await handle.close();
  }
}

/** Makes a filesystem with the real program, and says how it came out. */
async function made(
  type: FormattableType,
  sizeBytes: number,
  args: readonly string[],
): Promise<FilesystemLayout | null> {
  const file = path.join(folder, 'device');
  await rm(file, { force: true });
  await writeFile(file, '');
  await truncate(file, sizeBytes);
  await run(`mkfs.${type}`, [...args, file]);
  return layoutOf(file);
}

const making = (fields: Partial<Making> = {}): Making => ({
  options: null,
  was: null,
  entries: 0,
  sizeBytes: 400 * MiB,
  ...fields,
});

const usage = async () => {
  const { spawnSync } = await import('node:child_process');
  const { stdout, stderr } = spawnSync('mkfs.xfs', { encoding: 'utf8' });
  return stdout + stderr;
};

describe('a new ext4', () => {
  const remake = (fields: Partial<Making>) => {
    const all = making(fields);
    return made('ext4', all.sizeBytes, mkfsArguments('ext4', all, ''));
  };

  test('has the blocks and inodes that the old one had', async () => {
    const old = await made('ext4', 400 * MiB, ['-q', '-F', '-b', '4096', '-N', '300000', '-I', '512']);
    expect(old).toMatchObject({ type: 'ext', blockBytes: 4096, inodeBytes: 512 });
    const came = await remake({ was: old });
    expect(came).toMatchObject({ blockBytes: 4096, inodeBytes: 512 });
    expect(came?.type === 'ext' && came.inodes).toBeGreaterThanOrEqual(
      old?.type === 'ext' ? old.inodes * 0.97 : NaN,
    );
  });

  test('has room for as many files as there are, also where the backup tells nothing of the old one', async () => {
    const came = await remake({ sizeBytes: 2048 * MiB, entries: 300_000 });
    expect(came?.type === 'ext' && came.inodes).toBeGreaterThan(300_000);
  });

  test("is made with its volume's mkfsOptions, without losing what they ask for", async () => {
    const came = await remake({ options: '-m0 -i 2048 -b 2048', entries: 10 });
    expect(came).toMatchObject({ blockBytes: 2048 });
    expect(came?.type === 'ext' && came.inodes).toBeGreaterThan(190_000);
  });
});

test('a new xfs: no feature that kernels in use may lack, but those that the old one had', async () => {
  const known = await usage();
  const remake = (was: FilesystemLayout | null) =>
    made('xfs', 320 * MiB, mkfsArguments('xfs', making({ was }), known));
  expect(await remake(null)).toMatchObject({ type: 'xfs', bigtime: false, inobtcount: false });
  const old = await made('xfs', 320 * MiB, ['-q', '-f', '-m', 'bigtime=1,inobtcount=1', '-i', 'size=1024']);
  expect(await remake(old)).toEqual(old);
  const args = mkfsArguments('xfs', making({ options: '-K -m reflink=1' }), 'reflink= nrext64=').join(' ');
  expect(args).toContain('nrext64=0');
  expect(args).not.toContain('reflink=0');
});

test('mkfsOptions: words as ceph-csi splits them; nothing that names a file', () => {
  expect(parseMkfsOptions('ext4', '-m0 -i 4096 -Elazy_itable_init=1')).toEqual([
    ...['-m', '0', '-i', '4096', '-E', 'lazy_itable_init=1'],
  ]);
  for (const options of ['-d /etc', '-L label', '-U random', '-J device=/dev/sda', '-F', '-i $(x)']) {
    expect([options, parseMkfsOptions('ext4', options)]).toEqual([options, null]);
  }
  for (const options of ['-p proto', '-l logdev=x', '-d file=1', '-c options=x', '-f']) {
    expect([options, parseMkfsOptions('xfs', options)]).toEqual([options, null]);
  }
});

test('what is noted of a filesystem is read back, and not believed where it makes no sense', () => {
  const layout: FilesystemLayout = {
    type: 'ext',
    sizeBytes: MiB,
    blockBytes: 4096,
    inodes: 7,
    inodeBytes: 256,
  };
  expect(filesystemIn(['/x', filesystemNote(layout)])).toEqual(layout);
  expect(filesystemIn([filesystemNote({ ...layout, blockBytes: 3 })])).toBeNull();
  expect(filesystemIn([filesystemNote({ ...layout, inodes: -1 })])).toBeNull();
  expect(filesystemIn([])).toBeNull();
});

describe('with Ceph', () => {
  const here = scene();

  test('a small volume with blocks of 4 KiB: attributes that fill one come back into a blank claim', async () => {
    const { current } = here;
    const image = current.image('wide');
    await current.cluster.createImage(image, 64 * MiB);
    const attached = await attachImage(current.cluster, image);
    await run('mkfs.ext4', ['-q', '-F', '-b', '4096', '-N', '30000', attached.path]);
    await attached.detach();
    const value = 'v'.repeat(1500);
    const mounted = await mountImage(current.cluster, image, 'ext4');
    await writeFile(`${mounted.path}/file`, 'content');
    await run('setfattr', ['-n', 'user.long', '-v', value, `${mounted.path}/file`]);
    await mounted.unmount();
    await current.claim('wide', 'wide', { size: 64 * MiB, fsType: 'ext4' });
    await current.run();

    await current.cluster.createImage(current.image('blank'), 64 * MiB);
    await current.claim('blank', 'blank', { size: 64 * MiB, fsType: 'ext4' });
    const answer = await current.command(['restore', 'app/wide', '--to-pvc', 'app/blank']);
    expect(answer).toMatchObject({ code: 0, json: { verified: true, warnings: [] } });
    const restored = await mountImage(current.cluster, current.image('blank'), 'ext4');
    try {
      expect(await run('getfattr', ['--only-values', '-n', 'user.long', `${restored.path}/file`])).toBe(
        value,
      );
    } finally {
      await restored.unmount();
    }
    const layout = parseLayout((await current.read('blank')).subarray(0, 2048));
    expect(layout).toMatchObject({ type: 'ext', blockBytes: 4096 });
    expect(layout?.type === 'ext' && layout.inodes).toBeGreaterThanOrEqual(29_000);
  });
});
