import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { CacheKeeper, trimCache } from '../../lib/tools/restic/cache.js';
import { Restic } from '../../lib/tools/restic/restic.js';
import { searchPath } from '../../sandbox/tools.js';
import { freshRepository } from '../support/repository.js';
import { smallFilesystem, temporaryFolder } from '../support/temporary.js';

const MiB = 2 ** 20;

describe('a cache that is too large', () => {
  const [id, other] = ['a'.repeat(64), 'b'.repeat(64)];
  const name = (letter: string) => letter.repeat(64);

  /** Folders that restic makes, with files of 1 MiB: the first is the oldest. */
  async function cacheWith(files: string[]): Promise<string> {
    const root = await temporaryFolder('cache');
    for (const [index, file] of files.entries()) {
      const at = path.join(root, file);
      await mkdir(path.dirname(at), { recursive: true });
      await writeFile(at, Buffer.alloc(MiB, 1));
      await utimes(at, 1_000_000 + index, 1_000_000 + index);
    }
    return root;
  }

  async function left(root: string): Promise<string[]> {
    const all = await readdir(root, { recursive: true, withFileTypes: true });
    return all
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
      .sort();
  }

  const now = 1_000_100_000;

  test('loses its oldest files of trees first, then its index, of every repository and every fresh cache', async () => {
    const files = [
      `${id}/index/11/${name('1')}`,
      `${id}/data/22/${name('2')}`,
      `cephbackup-verify-x/${other}/data/33/${name('3')}`,
      `${other}/data/44/${name('4')}`,
      `${id}/snapshots/55/${name('5')}`,
    ];
    const root = await cacheWith(files);
    expect(await trimCache(root, 6 * MiB, now)).toBe(0);
    expect(await trimCache(root, 5 * MiB, now)).toBe(2 * MiB);
    expect(await left(root)).toEqual([files[0], files[3], files[4]].sort());
    expect(await trimCache(root, 1 * MiB, now)).toBe(2 * MiB);
    expect(await left(root)).toEqual([files[4]]);
  });

  test('keeps what is being written, and all that is not restic’s', async () => {
    const files = [
      `${id}/data/22/tmp-123`,
      `${id}/CACHEDIR.TAG`,
      `photos/data/22/${name('2')}`,
      `cephbackup-other/${id}/data/22/${name('2')}`,
    ];
    const root = await cacheWith(files);
    expect(await trimCache(root, 1, now)).toBe(0);
    expect(await left(root)).toEqual(files.toSorted());
    // Two days later, nobody is writing it any more.
    expect(await trimCache(root, 1, now + 2 * 86_400_000)).toBe(MiB);
    expect(await left(root)).toEqual(files.slice(1).sort());
  });

  test('loses the others where one cannot be removed', async () => {
    const files = [`${id}/data/22/${name('2')}`, `${id}/data/33/${name('3')}`, `${id}/index/11/${name('1')}`];
    const root = await cacheWith(files);
    const [stays = ''] = files;
    const run = promisify(execFile);
    await run('chattr', ['+i', path.join(root, stays)]);
    try {
      expect(await trimCache(root, 2 * MiB, now)).toBe(2 * MiB);
      expect(await left(root)).toEqual([stays]);
    } finally {
      await run('chattr', ['-i', path.join(root, stays)]);
    }
  });

  test('may be gone, or not there yet', async () => {
    expect(await trimCache(path.join(await temporaryFolder('cache'), 'none'), 1)).toBe(0);
  });
});

// Real restic: its cache of 24 MiB fills up with trees, 3 MiB each: what links name is random, so that it is not compressed.
test('the cache does not outgrow its volume, and restic needs nothing that was removed', async () => {
  const repository = await freshRepository();
  const volume = await smallFilesystem('24m');
  const env = { PATH: searchPath(), HOME: volume, ...repository.env, RESTIC_CACHE_DIR: volume };
  const exec = createExec({ env, log: silent, redactor: new Redactor() });
  const bare = new Restic(exec, env, { upload: null, download: null });
  const cache = new CacheKeeper(volume, 24 * MiB);
  const kept = new Restic(exec, env, { upload: null, download: null, cache });

  const folder = await temporaryFolder('files');
  const round = async (restic: Restic, count: number) => {
    const own = path.join(folder, `round-${count}`);
    await mkdir(own);
    for (let link = 0; link < 1_000; link += 1)
      await symlink(randomBytes(3_000).toString('base64url'), path.join(own, String(link)));
    return restic.backup(['--host=h', '--', own], { deadlineMs: 120_000 });
  };
  const ends: number[] = [];
  for (let count = 0; count < 20 && !ends.some((code) => code !== 0); count += 1)
    ends.push((await round(bare, count)).exitCode);
  // Without a keeper there is no end to it but an error.
  expect(ends.at(-1)).not.toBe(0);
  for (let count = 0; count < ends.length; count += 1)
    expect((await round(kept, 100 + count)).exitCode).toBe(0);
  const check = await kept.limited(['check', '--with-cache'], { deadlineMs: 120_000 });
  expect({ exitCode: check.exitCode, stderr: check.stderr }).toMatchObject({ exitCode: 0 });
  // What it removed is fetched again.
  const list = await kept.limited(['ls', 'latest'], { deadlineMs: 120_000 });
  expect(list.exitCode).toBe(0);
});

test('a cache that cannot be made is told as such, and not as a repository that does not answer', async () => {
  const repository = await freshRepository();
  const file = path.join(await temporaryFolder('cache'), 'file');
  await writeFile(file, '');
  const env = { ...repository.env, PATH: searchPath(), RESTIC_CACHE_DIR: path.join(file, 'below') };
  const exec = createExec({ env, log: silent, redactor: new Redactor() });
  const restic = new Restic(exec, env, { upload: null, download: null });
  await expect(restic.snapshots([])).rejects.toMatchObject({ code: 'CACHE_UNUSABLE' });
});
