import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { attachImage } from '../../sandbox/ceph.js';
import { replaceRbd } from '../../sandbox/replaced-rbd.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { smallFilesystem } from '../support/temporary.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();

/** A disk of an odd size, with data at its very beginning and end, zeros in between, and much that was never written. */
function disk(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  randomBytesOf(seed, MiB).copy(bytes, 0);
  randomBytesOf(seed + 1, 5000).copy(bytes, 9 * MiB + 1234);
  randomBytesOf(seed + 2, 3 * MiB).copy(bytes, 14 * MiB);
  randomBytesOf(seed + 3, 700).copy(bytes, size - 700);
  return bytes;
}

const size = 40 * MiB + 1001;
const first = disk(size, 1);
const second = disk(size, 2);
/** The point in time of the first backup. */
let between = '';

async function overwrite(image: string, content: Buffer): Promise<void> {
  const { cluster } = here.current;
  const name = here.current.file('overwrite');
  await writeFile(name, content);
  await cluster.rbd('rm', '--no-progress', here.current.image(image));
  await cluster.run('rbd', ['import', '--no-progress', name, here.current.image(image)]);
}

const restore = (...args: string[]): Promise<Answer> =>
  here.current.command(['restore', 'app/disk', ...args]);

beforeAll(async () => {
  const { current } = here;
  await current.blockClaim('disk', first);
  await current.run();
  const [snapshot] = await current.repository.snapshots('--tag', 'pvc=disk');
  between = snapshot?.time ?? '';
  await overwrite('disk', second);
  await current.run();
});

describe('to an image', () => {
  test('byte for byte, of the exact size, with zeros left unallocated', async () => {
    const { current } = here;
    const answer = await restore('--to-image', current.image('restored'));
    expect(answer).toMatchObject({ code: 0, json: { verified: true, error: null } });
    expect(answer.json.target).toMatchObject({ state: 'complete', sizeBytes: size });
    expect((await current.read('restored')).equals(second)).toBe(true);
    const used = JSON.parse(
      await current.cluster.rbd('du', '--format', 'json', current.image('restored')),
    ) as {
      images: { used_size: number }[];
    };
    expect(used.images[0]?.used_size).toBeLessThanOrEqual(24 * MiB);
    expect(await current.cluster.rbd('status', current.image('restored'))).toContain('Watchers: none');
  });

  test.each([
    ['the second of the first backup', 0, first],
    ['a second after it', 1, first],
    ['a day later', 86_400, second],
  ])('as of %s', async (_, seconds, expected) => {
    const time = new Date(Date.parse(between) + seconds * 1000).toISOString();
    const image = `as-of-${seconds}`;
    expect((await restore('--to-image', here.current.image(image), '--as-of', time)).code).toBe(0);
    expect((await here.current.read(image)).equals(expected)).toBe(true);
  });

  test('as of a second before there was a backup: nothing', async () => {
    const time = new Date(Date.parse(between) - 1000).toISOString();
    const answer = await restore('--to-image', here.current.image('nothing'), '--as-of', time);
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'SNAPSHOT_NOT_FOUND' } } });
    expect(await here.current.cluster.rbd('ls', here.current.pool)).not.toContain('nothing');
  });

  test('that exists: refused, and with --force overwritten in every byte', async () => {
    const { current } = here;
    const before = Buffer.alloc(48 * MiB, 0xaa);
    await writeFile(current.file('full'), before);
    await current.cluster.run('rbd', [
      'import',
      '--no-progress',
      current.file('full'),
      current.image('full'),
    ]);
    const refused = await restore('--to-image', current.image('full'));
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect(refused.json.target.state).toBe('untouched');
    expect((await current.read('full')).equals(before)).toBe(true);

    expect(await restore('--to-image', current.image('full'), '--force')).toMatchObject({ code: 0 });
    const expected = Buffer.alloc(before.length);
    second.copy(expected);
    expect((await current.read('full')).equals(expected)).toBe(true);
  });

  test('that is too small: refused', async () => {
    const { current } = here;
    await current.cluster.createImage(current.image('small'), size - 1);
    const answer = await restore('--to-image', current.image('small'), '--force');
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_TOO_SMALL' } } });
    expect(answer.json.target.state).toBe('untouched');
  });

  test('in a pool without room: refused before anything is written', async () => {
    const { current } = here;
    await current.cluster.createPool('tight');
    await current.cluster.ceph('osd pool set-quota tight max_bytes 1048576');
    try {
      const answer = await restore('--to-image', 'tight/restored');
      expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_FULL' } } });
      expect(answer.json.target.state).toBe('removed');
      expect(await current.cluster.rbd('ls', 'tight')).toBe('');
      // A pool that was made a moment ago has no statistics yet.
      const folder = current.file('programs');
      await mkdir(folder);
      const script =
        '#!/bin/sh\ncase " $* " in *" df "*) echo "{\\"pools\\":[]}";; *) exec /usr/bin/ceph "$@";; esac\n';
      await writeFile(`${folder}/ceph`, script, { mode: 0o755 });
      const env = { ...current.env, PATH: `${folder}:${current.env.PATH ?? ''}` };
      const early = await current.command(['restore', 'app/disk', '--to-image', 'tight/restored'], env);
      expect(early).toMatchObject({ code: 1, json: { error: { code: 'TARGET_FULL' } } });
    } finally {
      await current.cluster.deletePool('tight');
    }
  });
});

describe('to a file', () => {
  test('raw: the disk, with holes; without Ceph and Kubernetes', async () => {
    const file = here.current.file('disk.raw');
    const args = ['restore', 'app/disk', '--to-file', file, '--format', 'raw'];
    const answer = await here.current.command(args, here.current.repositoryEnv);
    expect(answer).toMatchObject({ code: 0, json: { verified: true } });
    expect((await readFile(file)).equals(second)).toBe(true);
    expect((await stat(file)).blocks * 512).toBeLessThan(8 * MiB);
  });

  test('qcow2: an image that QEMU finds sound', async () => {
    const { current } = here;
    const file = current.file('disk.qcow2');
    expect(await restore('--to-file', file)).toMatchObject({ code: 0, json: { verified: true } });
    await current.cluster.run('qemu-img', ['check', '-f', 'qcow2', file]);
    const raw = current.file('converted.raw');
    await current.cluster.run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', file, raw]);
    expect((await readFile(raw)).subarray(0, size).equals(second)).toBe(true);
  });

  test('that exists: refused, and with --force replaced', async () => {
    const file = here.current.file('existing');
    await writeFile(file, Buffer.alloc(60 * MiB, 1));
    const refused = await restore('--to-file', file, '--format', 'raw');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect((await stat(file)).size).toBe(60 * MiB);
    expect(await restore('--to-file', file, '--format', 'raw', '--force')).toMatchObject({ code: 0 });
    expect((await readFile(file)).equals(second)).toBe(true);
  });

  test('where there is no folder, or something else: refused', async () => {
    for (const file of [here.current.file('no/folder'), here.current.folder, '/dev/null']) {
      const answer = await restore('--to-file', file, '--force');
      expect(answer.code).toBe(1);
      expect(answer.json.error?.code).toMatch(/TARGET_(UNSUITABLE|NOT_FOUND)/);
    }
  });
});

test('to a file without room: said so, and nothing is left of it', async () => {
  const folder = await smallFilesystem('2M');
  for (const format of ['raw', 'qcow2']) {
    const answer = await restore('--to-file', `${folder}/disk`, '--format', format);
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_FULL' } } });
    expect(answer.json.target.state).toBe('removed');
    expect(await readdir(folder)).toEqual([]);
  }
});

test('a disk of 16 TiB with a few extents: there and back, to files', async () => {
  const { current } = here;
  const { cluster } = current;
  const tib = 1024 * 1024 * MiB;
  const extents = [0, 9 * tib + 4096, 16 * tib - 512].map((offset, index) => ({
    offset,
    bytes: randomBytesOf(50 + index, Math.min(5 * MiB, 16 * tib - offset)),
  }));
  await cluster.createImage(current.image('huge'), 16 * tib, ['--object-size', '32M']);
  const attached = await attachImage(cluster, current.image('huge'));
  const device = await open(attached.path, 'r+');
  for (const { offset, bytes } of extents) await device.write(bytes, 0, bytes.length, offset);
  await device.sync();
  await device.close();
  await attached.detach();
  await current.claim('huge', 'huge', { size: 16 * tib });
  // Asking the OSDs about four million objects takes minutes: here they are fewer, and the object map answers alone.
  const programs = replaceRbd(current.file('with-map'), [
    [`*--whole-object*`, `exec "$real" "$@"`],
    [`*' diff '* | *' export-diff '*`, `exec "$real" "$@" --whole-object`],
  ]);
  const env = { ...current.env, PATH: `${programs}:${current.env.PATH ?? ''}` };
  await current.run(['--pvc', 'app/huge'], env);

  const restoreHuge = (...to: string[]) => current.command(['restore', 'app/huge', ...to], env);
  const complete = { code: 0, json: { verified: true, target: { state: 'complete', sizeBytes: 16 * tib } } };
  const folder = await smallFilesystem('192M');
  const [raw, image] = [`${folder}/raw`, `${folder}/qcow2`];
  expect(await restoreHuge('--to-file', raw, '--format', 'raw')).toMatchObject(complete);
  expect(await restoreHuge('--to-file', image)).toMatchObject(complete);
  const file = await open(raw);
  for (const { offset, bytes } of extents) {
    const { buffer } = await file.read(Buffer.alloc(bytes.length), 0, bytes.length, offset);
    expect(buffer.equals(bytes)).toBe(true);
  }
  await file.close();
  expect((await stat(raw)).blocks * 512).toBeLessThan(16 * MiB);
  await cluster.run('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', raw, image]);
});

test('a disk has no files: a directory and --path are refused with the reason', async () => {
  for (const args of [
    ['--to-directory', here.current.file('directory')],
    ['--to-file', here.current.file('part'), '--path', '/etc'],
  ]) {
    const answer = await restore(...args);
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
  }
});

test.each([
  [[]],
  [['--to-file', 'a', '--to-directory', 'b']],
  [['--to-image', 'no-pool']],
  [['--to-directory', 'a', '--format', 'raw']],
  [['--to-directory', 'a', '--path', '../b']],
  [['--to-directory', 'a', '--snapshot', 'latest', '--as-of', '2026-01-01T00:00:00Z']],
])('usage: %j', async (args) => {
  expect(await restore(...args)).toMatchObject({ code: 2, json: { error: { code: 'USAGE' } } });
});
