import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { mountImage, whileMounted } from '../../sandbox/ceph.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { runCephbackup } from '../support/cephbackup.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
const disk = randomBytesOf(41, 3 * MiB);
const large = randomBytesOf(42, MiB);

beforeAll(async () => {
  await here.current.filesystemClaim('files', 64 * MiB, 'ext4', async (root) => {
    await writeFile(`${root}/large`, large);
    await writeFile(`${root}/small`, 'small');
  });
  await here.current.blockClaim('disk', disk);
  await here.current.run();
});

interface Target {
  args: string[];
  /** Whether everything is there. */
  complete: () => Promise<boolean>;
}

async function sameFiles(root: string): Promise<boolean> {
  const names = (await readdir(root)).filter((name) => name !== 'lost+found').toSorted();
  if (names.join() !== 'large,small') return false;
  const [one, other] = await Promise.all(names.map((name) => readFile(`${root}/${name}`)));
  return one?.equals(large) === true && other?.toString() === 'small';
}

const sameFilesIn = (name: string) =>
  whileMounted(mountImage(here.current.cluster, here.current.image(name), 'ext4'), sameFiles);

const targets: Record<string, (name: string) => Promise<Target>> = {
  'files to a directory': async () => {
    const folder = `${await mkdtemp(here.current.file('target-'))}/new`;
    return { args: ['app/files', '--to-directory', folder], complete: () => sameFiles(folder) };
  },
  'a disk to a file': async () => {
    const file = `${await mkdtemp(here.current.file('target-'))}/disk.raw`;
    return {
      args: ['app/disk', '--to-file', file, '--format', 'raw'],
      complete: async () => (await readFile(file)).equals(disk),
    };
  },
  'files to a new image': (name) =>
    Promise.resolve({
      args: ['app/files', '--to-image', here.current.image(name)],
      complete: () => sameFilesIn(name),
    }),
  'files to a claim that was never used': async (name) => {
    await here.current.cluster.createImage(here.current.image(name), 64 * MiB);
    await here.current.claim(name, name, { size: 64 * MiB, fsType: 'ext4' });
    return { args: ['app/files', '--to-pvc', `app/${name}`], complete: () => sameFilesIn(name) };
  },
  'a disk to a new image': (name) =>
    Promise.resolve({
      args: ['app/disk', '--to-image', here.current.image(name)],
      complete: async () => (await here.current.read(name)).equals(disk),
    }),
};

const programs = ['restic', 'rbd', 'ceph', 'mkfs.ext4', 'e2fsck', 'mount', 'umount', 'qemu-storage-daemon'];

async function restore(args: string[], faults: FaultyPrograms | null): Promise<Answer> {
  const env = { ...here.current.env, ...(faults === null ? {} : { PATH: faults.path }) };
  const { code, json, stderr } = await runCephbackup(['restore', ...args, '-o', 'json'], { env });
  return { code, json: json as Answer['json'], stderr };
}

const faulty = (...faults: Fault[]) => new FaultyPrograms(faults, here.current.env.PATH, programs);

/** The first call of each program and subcommand, as the number of a call of the program. */
function moments(calls: readonly string[]): { program: string; skip: number; what: string }[] {
  const seen = new Map<string, number>();
  const found = new Map<string, { program: string; skip: number; what: string }>();
  for (const call of calls) {
    const [program = '', ...args] = call.split(' ');
    const skip = seen.get(program) ?? 0;
    seen.set(program, skip + 1);
    const words = args.filter((arg) => /^[a-z][a-z-]*$/.test(arg)).slice(0, 2);
    const what = [program, ...words].join(' ');
    if (!found.has(what)) found.set(what, { program, skip, what });
  }
  return [...found.values()];
}

/** INTERRUPT=all also ends it at commands that only look, which takes some minutes. */
const everyCommand = process.env.INTERRUPT === 'all';
const writing = /^(restic (restore|dump)|rbd (create|image-meta|import)|mkfs\.ext4|mount)\b/;

// Each case is generated: a restore that is ended while a command of it runs, and then the same restore again.
describe.each(Object.keys(targets))('%s', (kind) => {
  test('ended at each of its commands, and begun again: complete and equal, or refused until --force', async () => {
    const prepare = targets[kind] as (name: string) => Promise<Target>;
    const name = kind.replaceAll(' ', '-');
    const golden = faulty();
    const undisturbed = await prepare(`${name}-golden`);
    expect(await restore(undisturbed.args, golden)).toMatchObject({ code: 0 });
    expect(await undisturbed.complete()).toBe(true);
    const found = moments(golden.calls()).filter(({ what }) => everyCommand || writing.test(what));
    expect(found.length).toBeGreaterThan(0);
    for (const [index, { program, skip, what }] of found.entries()) {
      const { args, complete } = await prepare(`${name}-${index}`);
      const ended = await restore(args, faulty({ program, when: '*', mode: 'term', skip }));
      // What was nearly done when the signal came may still be done; it may also reach the holder of the mount namespace.
      expect([what, [0, 1, 143].includes(ended.code ?? -1)]).toEqual([what, true]);
      let again = await restore(args, null);
      if (again.code !== 0) {
        expect([what, again.json.error?.code]).toEqual([what, 'TARGET_EXISTS']);
        again = await restore([...args, '--force'], null);
      }
      expect([what, again.code, again.json.verified]).toEqual([what, 0, true]);
      expect([what, await complete()]).toEqual([what, true]);
    }
  }, 900_000);
});
