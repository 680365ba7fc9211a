import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { mountImage, mountShare, whileMounted } from '../../sandbox/ceph.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { freshGroup } from '../support/ceph.js';
import { runCephbackup } from '../support/cephbackup.js';
import { Random, seedOfRun } from '../qcow2/random.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { seedEncryptedClaim } from './encrypted-claim.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
const disk = randomBytesOf(41, 3 * MiB);
const large = randomBytesOf(42, MiB);
/** Without it ceph-csi cannot open the disk. */
const wrappedKey = {
  'rbd.csi.ceph.com/encrypted': 'encrypted',
  'rbd.csi.ceph.com/dek': '{"dek":"d3JhcHBlZA=="}',
};

beforeAll(async () => {
  await here.current.filesystemClaim('files', 64 * MiB, 'ext4', async (root) => {
    await writeFile(`${root}/large`, large);
    await writeFile(`${root}/small`, 'small');
  });
  await here.current.blockClaim('disk', disk);
  await seedEncryptedClaim(here.current, 'secret', disk, wrappedKey);
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

const group = freshGroup();

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
  'files to a share': async (name) => {
    const share = await here.current.shareClaim(name, group, 64 * MiB);
    const complete = () => whileMounted(mountShare(here.current.cluster, 'cephfs', share), sameFiles);
    return { args: ['app/files', '--to-pvc', `app/${name}`], complete };
  },
  'a disk to a new image': (name) =>
    Promise.resolve({
      args: ['app/disk', '--to-image', here.current.image(name)],
      complete: async () => (await here.current.read(name)).equals(disk),
    }),
  'an encrypted disk to a new image': (name) =>
    Promise.resolve({
      args: ['app/secret', '--to-image', here.current.image(name)],
      complete: async () => {
        const image = here.current.image(name);
        const metadata = await here.current.cluster.rbd('image-meta', 'ls', '--format', 'json', image);
        expect(JSON.parse(metadata)).toEqual(wrappedKey);
        return (await here.current.read(name)).equals(disk);
      },
    }),
};

const programs = [
  ...['restic', 'rbd', 'ceph', 'ceph-fuse', 'mkfs.ext4', 'e2fsck', 'mount', 'umount'],
  'qemu-storage-daemon',
];

async function restore(args: string[], faults: FaultyPrograms | null): Promise<Answer> {
  const env = { ...here.current.env, ...(faults === null ? {} : { PATH: faults.path }) };
  const { code, json, stderr } = await runCephbackup(['restore', ...args, '-o', 'json'], { env });
  return { code, json: json as Answer['json'], stderr };
}

/** A program that is killed says nothing at its end. */
async function interrupted(args: string[], faults: FaultyPrograms): Promise<{ code: number | null }> {
  const env = { ...here.current.env, PATH: faults.path };
  const { code } = await runCephbackup(['restore', ...args, '-o', 'json'], { env });
  return { code };
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

/** INTERRUPT=all ends and kills it at every command, also at those that only look: that takes half an hour. */
const everyCommand = process.env.INTERRUPT === 'all';
const writing = /^(restic (restore|dump)|rbd (create|image-meta|import)|mkfs\.ext4|mount)\b/;
/** With these, something is half there. After a kill Ceph takes the dead client for alive for half a minute, CephFS for a minute. */
const halfway = /^(restic (restore|dump)|rbd import|mkfs\.ext4)\b/;

/** The same restore as after a crash: by hand, as soon as the dead one is known to be dead. */
async function restoreAfterDeath(args: string[]): Promise<Answer> {
  const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/cephbackup';
  await here.current.kube.request('DELETE', lease).catch(() => undefined);
  const end = performance.now() + 300_000;
  for (;;) {
    const answer = await restore(args, null);
    if (answer.json.error?.code !== 'TARGET_IN_USE' || performance.now() > end) return answer;
    await pause(2_000);
  }
}

interface Ending {
  how: string;
  fault: Partial<Fault> & Pick<Fault, 'mode'>;
  at: RegExp;
  again: (args: string[]) => Promise<Answer>;
}

const endings: Ending[] = [
  { how: 'ended', fault: { mode: 'term' }, at: writing, again: (args) => restore(args, null) },
  { how: 'killed', fault: { mode: 'kill-during', afterMs: 20 }, at: halfway, again: restoreAfterDeath },
];

const all = Object.keys(targets).flatMap((kind) => endings.map((ending) => ({ kind, ...ending })));

/** Each run of the suite takes another few of them, and says which; SEED repeats them. */
const seed = seedOfRun();
const random = new Random(seed);
const shuffled = all.map((one) => ({ one, at: random.next() })).toSorted((a, b) => a.at - b.at);
const cases = everyCommand ? all : shuffled.slice(0, 5).map(({ one }) => one);
if (!everyCommand)
  console.log(
    `restore/interruptions: ${cases.length} of ${all.length} cases (SEED=${seed}; INTERRUPT=all: all)`,
  );

// Each case is generated: a restore that is ended while a command of it runs, and then the same restore again.
test.each(cases)(
  '$kind, $how at each of its commands, and begun again: complete and equal, or refused until --force',
  async ({ kind, how, fault, at, again: restoreAgain }) => {
    const prepare = targets[kind] as (name: string) => Promise<Target>;
    const name = `${kind.replaceAll(' ', '-')}-${how}`;
    const golden = faulty();
    const undisturbed = await prepare(`${name}-golden`);
    expect(await restore(undisturbed.args, golden)).toMatchObject({ code: 0 });
    expect(await undisturbed.complete()).toBe(true);
    const found = moments(golden.calls()).filter(({ what }) => everyCommand || at.test(what));
    expect(found.length).toBeGreaterThan(0);
    for (const [index, { program, skip, what }] of found.entries()) {
      const { args, complete } = await prepare(`${name}-${index}`);
      const { code } = await interrupted(args, faulty({ program, when: '*', skip, once: true, ...fault }));
      // What was nearly done when the signal came may still be done; it may also reach the holder of the mount namespace.
      expect([what, [0, 1, 143, null].includes(code)]).toEqual([what, true]);
      let again = await restoreAgain(args);
      if (again.code !== 0) {
        expect([what, again.json.error]).toMatchObject([what, { code: 'TARGET_EXISTS' }]);
        again = await restoreAgain([...args, '--force']);
      }
      expect([what, again.code, again.json.verified]).toEqual([what, 0, true]);
      expect([what, await complete()]).toEqual([what, true]);
    }
  },
  everyCommand ? 3_600_000 : 900_000,
);
