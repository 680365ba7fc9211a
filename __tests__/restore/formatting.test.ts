import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { mountImage, whileMounted, writeFilesystem } from '../../sandbox/ceph.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
const key = 'cephbackup.formatting';

const restore = (target: string, ...args: string[]): Promise<Answer> =>
  here.current.command(['restore', 'app/source', '--to-pvc', `app/${target}`, ...args]);

async function emptyClaim(name: string, fsType: 'ext4' | 'xfs' = 'ext4'): Promise<void> {
  const size = (fsType === 'xfs' ? 320 : 64) * MiB;
  await here.current.cluster.createImage(here.current.image(name), size);
  await here.current.claim(name, name, { size, fsType });
}

const namesIn = (name: string) =>
  whileMounted(mountImage(here.current.cluster, here.current.image(name), 'ext4'), async (root) =>
    (await readdir(root)).filter((file) => file !== 'lost+found').toSorted(),
  );

const metadata = (name: string) =>
  here.current.cluster.rbd('image-meta', 'ls', '--format', 'json', here.current.image(name));

/** A `mkfs.ext4` of this shell text, and PATH with it. */
async function withMkfs(text: string): Promise<Record<string, string>> {
  const folder = here.current.file(`mkfs-${text.length}`);
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/mkfs.ext4`, `#!/bin/sh\n${text}\n`);
  await chmod(`${folder}/mkfs.ext4`, 0o755);
  return { ...here.current.env, PATH: `${folder}:${here.current.env.PATH ?? ''}` };
}

beforeAll(async () => {
  await here.current.filesystemClaim('source', 64 * MiB, 'ext4', async (root) => {
    await writeFile(`${root}/backed-up`, 'backed up');
  });
  await here.current.run();
});

describe('a mark that an interrupted restore left long ago', () => {
  test.each(['true', '0123abcd 2026-01-31T12:00:00Z'])(
    '%s: does not permit to format what has content; with --force, files are added and the mark goes',
    async (mark) => {
      const { cluster } = here.current;
      const name = `full-${mark.length}`;
      await emptyClaim(name);
      const image = here.current.image(name);
      await cluster.rbd('image-meta', 'set', image, key, mark);
      // As ceph-csi and a pod do since then.
      await writeFilesystem(cluster, image, 'ext4', (root) => writeFile(`${root}/months-of-work`, 'work'));

      const refused = await restore(name);
      expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
      expect(refused.json.target.state).toBe('untouched');
      expect(await namesIn(name)).toEqual(['months-of-work']);

      expect(await restore(name, '--force')).toMatchObject({ code: 0, json: { verified: true } });
      expect(await namesIn(name)).toEqual(['backed-up', 'months-of-work']);
      expect(await metadata(name)).not.toContain(key);
    },
  );
});

describe('interrupted while it formats', () => {
  test('by SIGTERM: the mark says who did; only --force formats again, and completes it', async () => {
    await emptyClaim('half');
    // Far enough to have written something.
    const text =
      'for last; do :; done; head -c 100000 /dev/urandom | dd of="$last" bs=4096 seek=300 conv=notrunc 2>&1; sync "$last"; sleep 600';
    const running = here.current.start(
      ['restore', 'app/source', '--to-pvc', 'app/half'],
      await withMkfs(text),
    );
    await running.said('formatting');
    for (let look = 0; look < 200; look += 1) {
      if ((await here.current.read('half')).some((byte) => byte !== 0)) break;
    }
    running.kill('SIGTERM');
    const { code, json } = await running.result;
    expect(code).toBe(143);
    expect(json).toMatchObject({ target: { state: 'incomplete' }, leftovers: [] });
    expect(await metadata('half')).toMatch(/formatting": *"[0-9a-f]{8} 20\S+Z"/);

    const refused = await restore('half');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect(refused.json.error?.message).toMatch(/restore [0-9a-f]{8} of 20\S+Z was interrupted/);
    expect(await restore('half', '--force')).toMatchObject({ code: 0, json: { verified: true } });
    expect(await namesIn('half')).toEqual(['backed-up']);
    expect(await metadata('half')).not.toContain(key);
  });

  test('before mkfs wrote anything: the image is still blank, and formatted without --force', async () => {
    await emptyClaim('blank');
    const env = await withMkfs('exit 1');
    const failed = await here.current.command(['restore', 'app/source', '--to-pvc', 'app/blank'], env);
    expect(failed).toMatchObject({ code: 1, json: { error: { code: 'RESTORE_FAILED' } } });
    expect(await restore('blank')).toMatchObject({ code: 0 });
    expect(await namesIn('blank')).toEqual(['backed-up']);
    expect(await metadata('blank')).not.toContain(key);
  });
});

test('what only looks like an interrupted restore: an encrypted disk is refused even with --force', async () => {
  const { cluster } = here.current;
  await emptyClaim('encrypted');
  const file = here.current.file('luks');
  await writeFile(file, Buffer.concat([Buffer.from('LUKS\xba\xbe', 'latin1'), Buffer.alloc(MiB, 3)]));
  const image = here.current.image('encrypted');
  await cluster.rbd('rm', '--no-progress', image);
  await cluster.run('rbd', ['import', '--no-progress', file, image]);
  await cluster.rbd('image-meta', 'set', image, key, 'true');
  const before = await here.current.read('encrypted');
  expect(before.equals(await readFile(file))).toBe(true);
  for (const args of [[], ['--force']]) {
    const answer = await restore('encrypted', ...args);
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'FILESYSTEM_MISMATCH' } } });
    expect(answer.json.target.state).toBe('untouched');
  }
  expect((await here.current.read('encrypted')).equals(before)).toBe(true);
});
