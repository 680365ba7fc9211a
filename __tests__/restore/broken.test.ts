import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { mountImage, whileMounted } from '../../sandbox/ceph.js';
import type { Repository } from '../../sandbox/repository.js';
import { observeWorld } from '../../sandbox/world.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import type { RunningCephbackup } from '../support/cephbackup.js';
import { FaultyPrograms } from '../support/faults.js';
import { expectCleanWorld } from '../support/world.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
const content = randomBytesOf(11, 6 * MiB);

beforeAll(async () => {
  await here.current.filesystemClaim('files', 64 * MiB, 'ext4', async (root) => {
    await writeFile(`${root}/large`, content);
    await writeFile(`${root}/small`, 'small');
  });
  await here.current.blockClaim('disk', content);
  await here.current.run();
});

describe('the repository is damaged', () => {
  const fresh = () => mkdtemp(here.current.file('target-'));

  async function flip(file: string, at: number): Promise<void> {
    const handle = await open(file, 'r+');
    try {
      await handle.write(Buffer.from([0xff, 0xfe, 0xfd]), 0, 3, at);
    } finally {
      await handle.close();
    }
  }

  /** A copy of the repository, without a cache. */
  async function copy(): Promise<Repository> {
    const repository = await here.current.repository.copy(path.join(await fresh(), 'copy'));
    await rm(repository.env.RESTIC_CACHE_DIR, { recursive: true, force: true });
    return repository;
  }

  const restore = (repository: Repository, ...args: string[]): Promise<Answer> => {
    const env = { ...here.current.repositoryEnv, ...repository.env };
    return here.current.command(['restore', ...args], env);
  };

  async function filesIn({ env }: Repository, kind: string): Promise<string[]> {
    const folder = path.join(env.RESTIC_REPOSITORY, kind);
    const names = await readdir(folder, { recursive: true });
    const files = await Promise.all(
      names.map(async (name) => ({
        file: path.join(folder, name),
        found: await stat(path.join(folder, name)),
      })),
    );
    return files
      .filter(({ found }) => found.isFile())
      .toSorted((a, b) => b.found.size - a.found.size)
      .map(({ file }) => file);
  }

  test('in a pack of data: named, for files and for a disk; the other files are there', async () => {
    const repository = await copy();
    for (const pack of (await filesIn(repository, 'data')).slice(0, 2)) {
      const { size } = await stat(pack);
      for (let at = 5_000; at < size - 5_000; at += 200_000) await flip(pack, at);
    }
    const target = await fresh();
    const answer = await restore(repository, 'app/files', '--to-directory', target);
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'BACKUP_DAMAGED' }, verified: false } });
    expect(answer.json.warnings.join()).toContain('/large');
    expect(answer.json.target.state).toBe('incomplete');
    expect(await readFile(`${target}/small`, 'utf8')).toBe('small');

    const file = here.current.file('disk.raw');
    const disk = await restore(repository, 'app/disk', '--to-file', file, '--format', 'raw');
    expect(disk).toMatchObject({ code: 1, json: { error: { code: 'BACKUP_DAMAGED' } } });
    expect(disk.json.target.state).toBe('removed');
  });

  test('in a pack of trees, an index, the file of a snapshot: each has its error, and nothing is made up', async () => {
    const repository = await copy();
    const packs = await filesIn(repository, 'data');
    for (const pack of packs.slice(2)) await flip(pack, 20);
    const trees = await restore(repository, 'app/files', '--to-directory', await fresh());
    expect(trees).toMatchObject({ code: 1, json: { error: { code: 'BACKUP_DAMAGED' }, verified: false } });

    for (const index of await filesIn(repository, 'index')) await flip(index, 20);
    await rm(repository.env.RESTIC_CACHE_DIR, { recursive: true, force: true });
    const target = path.join(await fresh(), 'new');
    const index = await restore(repository, 'app/files', '--to-directory', target);
    expect(index).toMatchObject({
      code: 3,
      json: { error: { code: 'REPOSITORY_DAMAGED' }, verified: false },
    });

    const id = trees.json.snapshot;
    await flip(path.join(repository.env.RESTIC_REPOSITORY, 'snapshots', id), 20);
    await rm(repository.env.RESTIC_CACHE_DIR, { recursive: true, force: true });
    const snapshot = await restore(repository, 'app/files', '--to-directory', target, '--snapshot', id);
    expect(snapshot).toMatchObject({ code: 1, json: { error: { code: 'SNAPSHOT_NOT_FOUND' } } });
    expect(snapshot.stderr).toContain(id);
  });
});

test('a program that says it succeeded, and did nothing: the restore does not say so', async () => {
  const { current } = here;
  const faults = new FaultyPrograms(
    [
      { program: 'restic', when: 'restore *', mode: 'lie' },
      { program: 'rbd', when: '*import-diff*', mode: 'lie' },
    ],
    current.env.PATH,
  );
  const env = { ...current.env, PATH: faults.path };
  const files = await current.command(['restore', 'app/files', '--to-image', current.image('lie')], env);
  expect(files).toMatchObject({ code: 1, json: { error: { code: 'RESTORE_UNVERIFIED' }, verified: false } });
  const disk = await current.command(['restore', 'app/disk', '--to-image', current.image('lies')], env);
  expect(disk).toMatchObject({ code: 1, json: { verified: false } });
  expect(disk.json.error?.code).toMatch(/^RESTORE_(FAILED|UNVERIFIED)$/);
});

describe('interrupted', () => {
  /** So slow that there is time to interrupt it. */
  const start = (target: string, ...args: string[]): RunningCephbackup =>
    here.current.start(['restore', 'app/files', '--to-image', here.current.image(target), ...args]);

  async function until(running: RunningCephbackup, text: string): Promise<void> {
    await running.said(text);
    await sleep(1_500);
  }

  async function complete(target: string): Promise<void> {
    const { current } = here;
    const image = current.image(target);
    const answer = await current.command(['restore', 'app/files', '--to-image', image, '--force']);
    expect(answer).toMatchObject({ code: 0, json: { verified: true, target: { state: 'complete' } } });
    await whileMounted(mountImage(current.cluster, image, 'ext4'), async (root) => {
      expect((await readFile(`${root}/large`)).equals(content)).toBe(true);
    });
  }

  test('by SIGTERM: says what state the image is in, keeps nothing open, and --force completes it', async () => {
    const { current } = here;
    const scope = { cluster: current.cluster, temporary: current.folder };
    const before = await observeWorld(scope);
    const running = start('terminated', '--limit-download', '500');
    await until(running, 'restoring files');
    running.kill('SIGTERM');
    const { code, json } = await running.result;
    expect(code).toBe(143);
    expect(json).toMatchObject({
      target: { state: 'incomplete' },
      error: { code: 'CANCELLED' },
      leftovers: [],
    });
    expect((json as Answer['json']).error?.message).toContain('--force');
    expect(await current.cluster.rbd('status', current.image('terminated'))).toContain('Watchers: none');
    await expectCleanWorld(before, scope);
    await complete('terminated');
  });

  test('by SIGKILL: nothing lives on, and once the dead watch is forgotten --force completes it', async () => {
    const { current } = here;
    const running = start('killed', '--limit-download', '500');
    await until(running, 'restoring files');
    running.kill('SIGKILL');
    await running.result;
    // As if the lease of the killed program had expired.
    const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/cephbackup';
    await current.kube.request('DELETE', lease);
    await complete('killed');
  });

  test('while the image was being formatted: it is formatted again', async () => {
    const { current } = here;
    const image = current.image('half');
    await current.cluster.createImage(image, 64 * MiB);
    await current.cluster.rbd('image-meta', 'set', image, 'cephbackup.formatting', 'true');
    await current.cluster.run('rbd', [
      'bench',
      '--io-type',
      'write',
      '--io-total',
      '1M',
      '--io-size',
      '64K',
      image,
    ]);
    await complete('half');
  });
});
