import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { resolveProgram } from '../../../lib/tools/process/launch.js';
import { serveViewCommand } from '../../../lib/volumes/block/internal-command.js';
import { run } from '../../../sandbox/process.js';
import { resticProgram, searchPath } from '../../../sandbox/tools.js';
import { Random, seedOfRun } from '../../qcow2/random.js';
import type { Fault } from '../../support/faults.js';
import type { SeededClaim } from '../../support/scenario.js';
import { Rig } from './rig.js';

const mib = 1024 ** 2;

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
});

/** A disk with a backup and its base. */
async function backedUp(namespace: string): Promise<SeededClaim> {
  const claim = await rig.disk(namespace, 32 * mib);
  rig.io(claim, 'write -P 1 0 9M', 'write -P 2 29M 1M');
  await rig.backUp(namespace);
  return claim;
}

test('a base that goes while Ceph is asked for changes is none: everything is read', async () => {
  const claim = await backedUp('vanishing');
  const rbd = `"$real" --conf ${rig.scenario.cluster.conf}`;
  const gone = async (skip: number, command: (base: string) => string): Promise<Fault> => ({
    program: 'rbd',
    when: '*diff*--from-snap*',
    mode: 'then',
    skip,
    once: true,
    command: command(`${claim.image}@${(await rig.bases(claim))[0] ?? ''}`),
  });
  const faults = [
    () => gone(0, (base) => `${rbd} snap rm --no-progress ${base}`),
    () => gone(1, (base) => `${rbd} snap rm --no-progress ${base}`),
    () => gone(1, (base) => `${rbd} snap rename ${base} ${claim.image}@mine`),
  ];
  for (const [at, fault] of faults.entries()) {
    rig.io(claim, `write -P ${at + 3} ${at * 4}M 4k`);
    const backup = await rig.backUp('vanishing', ['--keep-base'], { faults: [await fault()] });
    expect(backup).toMatchObject({ base: 'no-base', bytesRead: 16 * mib });
    await rig.expectEqualToBase(claim, backup.snapshot ?? '');
  }
}, 300_000);

test('told to end while Ceph is asked for snapshots: what restic has saved by then is a backup', async () => {
  const claim = await backedUp('told');
  let skip = 0;
  for (; ; skip++) {
    rig.io(claim, `write -P ${skip + 3} ${skip * 4}M 4k`);
    const faults: Fault[] = [{ program: 'rbd', when: '*snap ls*', mode: 'term', skip }];
    const report = await rig.run('told', ['--keep-base'], { faults });
    if (report.code === 0) break;
    expect({ skip, code: report.code, leftovers: report.leftovers }).toEqual({
      skip,
      code: 143,
      leftovers: [],
    });
  }
  expect(skip).toBeGreaterThan(1);
}, 300_000);

test('an image that was made anew under its name has no base', async () => {
  const claim = await backedUp('recreated');
  const { cluster } = rig.scenario;
  await cluster.rbd('snap', 'purge', '--no-progress', claim.image);
  await cluster.rbd('rm', '--no-progress', claim.image);
  await cluster.createImage(claim.image, 32 * mib);
  rig.io(claim, 'write -P 7 5M 1M');
  const backup = await rig.backUp('recreated');
  expect(backup).toMatchObject({ base: 'no-base', bytesRead: 4 * mib });
  await rig.expectEqualToBase(claim, backup.snapshot ?? '');
}, 300_000);

test('an image that was migrated has copies of its snapshots, and no base', async () => {
  const claim = await backedUp('migrated');
  const { cluster } = rig.scenario;
  const moved = `${claim.image}-moved`;
  await cluster.rbd('migration', 'prepare', claim.image, moved);
  for (const step of ['execute', 'commit']) await cluster.rbd('migration', step, '--no-progress', moved);
  await cluster.rbd('rename', moved, claim.image);
  expect((await rig.bases(claim)).length).toBe(1);
  const backup = await rig.backUp('migrated');
  expect(backup).toMatchObject({ base: 'no-base', bytesRead: 16 * mib });
  await rig.expectEqualToBase(claim, backup.snapshot ?? '');
}, 300_000);

test('an object map that denies data fails the volume', async () => {
  const claim = await backedUp('lying-map');
  const { cluster } = rig.scenario;
  const { id } = (await cluster.json('rbd', ['info', claim.image])) as { id: string };
  const [pool = '', namespace = ''] = claim.image.split('/');
  const object = `rbd_data.${id}.0000000000000004`;
  await cluster.run('rados', ['-p', pool, '-N', namespace, 'put', object, '-'], { input: 'data' });
  const { volumes } = await rig.run('lying-map');
  expect(volumes[0]).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: { code: 'OBJECT_MAP_WRONG' },
  });
  expect((await rig.snapshotNames(claim)).every((name) => name.includes('-base-'))).toBe(true);
}, 300_000);

describe('where the repository has lost', () => {
  /** Removes packs, as a storage that forgets them, and brings the index to what is left. */
  async function lose(kind: 'data' | 'tree', claim: SeededClaim): Promise<void> {
    const { repository } = rig.scenario;
    const packs = await packsOf(kind, await newestOf(claim));
    for (const pack of packs)
      await rm(path.join(repository.env.RESTIC_REPOSITORY, 'data', pack.slice(0, 2), pack));
    await run(resticProgram, ['repair', 'index', '--no-cache'], { env: repository.env });
  }

  async function newestOf(claim: SeededClaim): Promise<string> {
    return (await rig.scenario.snapshots(claim)).at(-1)?.id ?? '';
  }

  /** Packs with blobs of this kind that a snapshot has and no other. */
  async function packsOf(kind: 'data' | 'tree', snapshot: string): Promise<Set<string>> {
    const { env } = rig.scenario.repository;
    const restic = async (...args: string[]) =>
      JSON.parse(await run(resticProgram, args, { env })) as unknown;
    const wanted = new Set<string>();
    const walk = async (tree: string): Promise<void> => {
      const { nodes } = (await restic('cat', 'blob', tree)) as {
        nodes: { subtree?: string; content?: string[] | null }[];
      };
      if (kind === 'tree') wanted.add(tree);
      for (const { subtree, content } of nodes) {
        if (kind === 'data') for (const blob of content ?? []) wanted.add(blob);
        if (subtree !== undefined) await walk(subtree);
      }
    };
    const [{ tree }] = (await restic('snapshots', '--json', snapshot)) as [{ tree: string }];
    await walk(tree);
    const packs = new Set<string>();
    for (const index of (await run(resticProgram, ['list', 'index'], { env })).split('\n').filter(Boolean)) {
      const { packs: listed } = (await restic('cat', 'index', index)) as {
        packs: { id: string; blobs: { id: string }[] }[];
      };
      for (const { id, blobs } of listed) if (blobs.some((blob) => wanted.has(blob.id))) packs.add(id);
    }
    return packs;
  }

  test('data of the parent, it is read and stored again', async () => {
    const claim = await backedUp('lost-data');
    await lose('data', claim);
    const backup = await rig.backUp('lost-data');
    expect(backup.bytesRead).toBe(16 * mib);
    expect(backup.warnings.join()).toContain('missing');
    await rig.expectEqualToBase(claim, backup.snapshot ?? '');
  }, 300_000);

  test('a folder of the parent, everything is read', async () => {
    const claim = await backedUp('lost-tree');
    await lose('tree', claim);
    const backup = await rig.backUp('lost-tree');
    expect(backup).toMatchObject({ base: 'damaged', bytesRead: 16 * mib });
    await rig.expectEqualToBase(claim, backup.snapshot ?? '');
  }, 300_000);
});

/** A restic that, so many seconds after it began to back up, kills a child of the program that started it. */
async function killing(pattern: string, seconds: number): Promise<string> {
  return besideBackup(`
  parent=$PPID
  # Not in the volume, which is to be unmounted.
  (cd /; sleep ${seconds}; for pid in $(pgrep -P "$parent"); do
    tr '\\0' ' ' </proc/$pid/cmdline | grep -q -e ${pattern} && kill -KILL "$pid"
  done) >/dev/null 2>&1 &`);
}

/** A PATH with a restic that does something when it begins to back up. */
async function besideBackup(commands: string): Promise<string> {
  const folder = await mkdtemp(path.join(rig.folder, 'beside-'));
  const script = `#!/bin/bash
if [[ " $* " == *" backup "*--group-by* ]]; then ${commands}
fi
exec ${resolveProgram('restic', searchPath())} "$@"
`;
  await writeFile(path.join(folder, 'restic'), script);
  await chmod(path.join(folder, 'restic'), 0o755);
  return `${folder}:${searchPath()}`;
}

test('whatever is killed while it is read: no backup is said to have succeeded that has not', async () => {
  const claim = await backedUp('killed');
  const random = new Random(seedOfRun());
  let failed = 0;
  const kills: [pattern: string, seconds: number][] = [
    [serveViewCommand, 0],
    [serveViewCommand, random.next() * 1.5],
    ['qemu-storage-daemon', 0],
  ];
  for (const [pattern, seconds] of kills) {
    rig.io(claim, `write -P ${random.integer(1, 255)} ${random.integer(0, 31)}M 1M`);
    const report = await rig.run('killed', ['--keep-base', '--full-every', '1s'], {
      env: { PATH: await killing(pattern, seconds) },
    });
    const [volume] = report.volumes;
    if (volume?.outcome === 'failed') failed++;
    else await rig.expectEqualToBase(claim, volume?.snapshot ?? '');
    const left = [(await rig.bases(claim)).length, (await rig.snapshotNames(claim)).length];
    expect([pattern, seconds, left]).toEqual([pattern, seconds, [1, 1]]);
    expect(report.leftovers.filter(({ kind }) => kind !== 'restic-snapshot')).toEqual([]);
  }
  // At once is always too early for it.
  expect(failed).toBeGreaterThanOrEqual(2);
  const backup = await rig.backUp('killed');
  await rig.expectEqualToBase(claim, backup.snapshot ?? '');
}, 600_000);

/** While a dead client's watch lives, 30 s at most, what it holds is left and named. */
async function deadClientsForgotten(): Promise<void> {
  const { cluster, place } = rig.scenario;
  const clones = (await cluster.rbd('ls', place)).split('\n').filter((name) => name.includes('cephbackup-'));
  for (const clone of clones) {
    const watchers = async () => {
      const { stdout } = await cluster.attempt('rbd', ['status', '--format', 'json', `${place}/${clone}`]);
      return stdout.includes('"address"');
    };
    while (await watchers()) await sleep(500);
  }
}

test('a clone that is still in use when its snapshot becomes a base is removed by the next run', async () => {
  const claim = await backedUp('busy');
  rig.io(claim, 'write -P 5 3M 1M');
  const over = path.join(rig.folder, 'over');
  const busy = await besideBackup(`(until [ -e ${over} ]; do sleep 0.2; done) >/dev/null 2>&1 &`);
  const report = await rig.run('busy', ['--keep-base'], { env: { PATH: busy } });
  await writeFile(over, '');
  expect(report).toMatchObject({ exitCode: 5, volumes: [{ outcome: 'succeeded' }] });
  expect(report.leftovers.map(({ kind }) => kind)).toContain('clone');
  await rig.expectEqualToBase(claim, report.volumes[0]?.snapshot ?? '');
  await deadClientsForgotten();
  rig.io(claim, 'write -P 6 4M 1M');
  const backup = await rig.backUp('busy');
  await rig.expectEqualToBase(claim, backup.snapshot ?? '');
  expect(await rig.scenario.cluster.rbd('ls', rig.scenario.place)).not.toContain('cephbackup-');
}, 300_000);

test('a run that is killed leaves nothing that the next does not mend', async () => {
  const claim = await backedUp('killed-run');
  const random = new Random(seedOfRun());
  for (let kill = 0; kill < Number(process.env.KILLS ?? 2); kill++) {
    rig.io(claim, `write -P ${random.integer(1, 255)} ${random.integer(0, 31)}M 1M`);
    const started = rig.scenario.start(['run', '-o', 'json', '--keep-base', '--namespace', 'killed-run']);
    const seconds = random.next() * 6;
    await Promise.race([sleep(seconds * 1000), started.result]);
    started.kill('SIGKILL');
    await started.result;
    await Promise.all([rig.scenario.expireLease(), deadClientsForgotten()]);
    const backup = await rig.backUp('killed-run');
    await rig.expectEqualToBase(claim, backup.snapshot ?? '');
    expect([seconds, await rig.snapshotNames(claim)]).toEqual([seconds, await rig.bases(claim)]);
    const images = await rig.scenario.cluster.rbd('ls', rig.scenario.place);
    expect([seconds, images.includes('cephbackup-')]).toEqual([seconds, false]);
  }
}, 3_600_000);

test('two runs at once leave one base, of the newest backup', async () => {
  const claim = await backedUp('two');
  rig.io(claim, 'write -P 9 0 4k');
  const args = ['run', '--keep-base', '--namespace', 'two', '-o', 'json'];
  const both = await Promise.all([rig.scenario.cephbackup(args), rig.scenario.cephbackup(args)]);
  // One that finds the other at its end waits for it.
  expect([0, 4]).toEqual(expect.arrayContaining(both.map(({ code }) => code)));
  await rig.expectEqualToBase(claim, (await rig.scenario.snapshots(claim)).at(-1)?.id ?? '');
  expect(await rig.snapshotNames(claim)).toEqual(await rig.bases(claim));
}, 300_000);
