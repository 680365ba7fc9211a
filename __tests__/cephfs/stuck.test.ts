import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readlink, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createSubvolume, mountShare } from '../../sandbox/ceph.js';
import { searchPath } from '../../sandbox/tools.js';
import { FaultyPrograms } from '../support/faults.js';
import { OwnFilesystem } from './own-filesystem.js';
import { clientOf, processesWith } from './processes.js';
import { Rig } from './rig.js';

let rig: Rig;
/** With a metadata server that can be stopped, and sessions that can be ended, without harm to other test files. */
let own: OwnFilesystem;
/** restic begins when the test has done its harm. */
let slowly: string;

beforeAll(async () => {
  rig = await Rig.create();
  own = await OwnFilesystem.create(rig.cluster);
  slowly = new FaultyPrograms([{ program: 'restic', when: 'backup *', mode: 'delay' }], searchPath()).path;
});

async function fill(root: string): Promise<void> {
  for (let folder = 0; folder < 20; folder += 1) {
    await mkdir(`${root}/${folder}`);
    const files = Array.from({ length: 10 }, (_, file) => `${root}/${folder}/${file}`);
    await Promise.all(files.map((file) => writeFile(file, randomBytes(5_000))));
  }
}

/** Of the volume, or of the command that did not end by SIGKILL either. */
const timeout = /^(VOLUME|COMMAND)_TIMEOUT$/;
const readingBegins = async () => {
  while ((await resticRuns()).length === 0) await sleep(100);
};
const resticRuns = () => processesWith('restic', 'backup', '--host=k8s-team-nspvc-own');

describe('a filesystem without a metadata server', () => {
  test('is not waited for', async () => {
    const volume = rig.fixed('own', '/app', { fsName: own.name });
    const { result, leftovers } = await rig.backup(volume);
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'CEPHFS_UNAVAILABLE' } });
    expect(leftovers).toEqual([]);
  });
});

/** Fills folders of the filesystem, by a client that is gone when the tests begin. */
async function fillFolders(...folders: string[]): Promise<void> {
  const share = await mountShare(rig.cluster, own.name, '/');
  for (const folder of folders) {
    await mkdir(`${share.path}${folder}`, { recursive: true });
    await fill(`${share.path}${folder}`);
  }
  await share.unmount();
}

describe('a metadata server that answers no more', () => {
  const volume = () => rig.fixed('own', '/app', { fsName: own.name });
  const freeze = (step: string) => {
    if (step === 'backing up') own.freeze();
  };
  beforeAll(async () => {
    await own.startServer();
    // No subvolume of it yet: Ceph's manager would keep a client of its own, and wait for that one meanwhile.
    await fillFolders('/app');
  });
  afterEach(() => {
    own.thaw();
  });

  test('is waited for without a deadline, and others do not wait', async () => {
    const neighbour = await rig.subvolume('neighbour');
    const share = await mountShare(rig.cluster, 'cephfs', neighbour);
    await writeFile(`${share.path}/file`, 'x');
    await share.unmount();
    let ended = false;
    const stuck = rig.backup(volume(), { onStep: freeze, path: slowly }).finally(() => (ended = true));
    await readingBegins();
    const { result } = await rig.backup(rig.dynamic('neighbour', neighbour));
    expect(result).toMatchObject({ outcome: 'succeeded', error: null });
    expect(ended).toBe(false);
    own.thaw();
    const { result: late, leftovers } = await stuck;
    expect(late).toMatchObject({ outcome: 'succeeded', error: null });
    expect(leftovers).toEqual([]);
  });

  test('the volume ends at its deadline', async () => {
    rig.marks.clear();
    const ending = rig.backup(volume(), { timeout: 10_000, onStep: freeze, path: slowly });
    await readingBegins();
    // Who waits for an answer of ceph-fuse cannot even be killed: ceph-fuse has to be.
    for (let tries = 0; tries < 90 && (await resticRuns()).length > 0; tries += 1) await sleep(500);
    expect(await resticRuns()).toEqual([]);
    own.thaw();
    // Where ceph-fuse had to be killed, the removal of the snapshot waits until the server gives it up.
    const ended = new AbortController();
    void ending.finally(() => {
      ended.abort();
    });
    while (!ended.signal.aborted) {
      await own.evict('/app', { butNewest: true });
      await sleep(500);
    }
    const { result: failed, leftovers } = await ending;
    expect(failed).toMatchObject({ outcome: 'failed', snapshot: null });
    expect(failed.error?.code).toMatch(timeout);
    expect(leftovers).toEqual([]);
    expect(await processesWith('ceph-fuse', `--client_fs=${own.name}`)).toEqual([]);
  });
});

test('the removal of a snapshot that waits for a dead client in vain is tried again', async () => {
  // The first ceph-fuse is the one that restic reads by.
  const stderr = 'ceph-fuse[1]: ceph mount failed with (110) Connection timed out';
  const refused = { program: 'ceph-fuse', when: '*', mode: 'fail', stderr, skip: 1, once: true } as const;
  const programs = new FaultyPrograms([refused], searchPath());
  const volume = rig.fixed('own', '/app', { fsName: own.name });
  const { result, leftovers } = await rig.backup(volume, { path: programs.path });
  expect(result).toMatchObject({ outcome: 'succeeded', error: null });
  expect(leftovers).toEqual([]);
  expect(programs.calls()).toHaveLength(3);
});

describe('with a metadata server', () => {
  let path: string;
  /** The directory that is mounted for it. */
  let root: string;
  beforeAll(async () => {
    path = await createSubvolume(rig.cluster, { filesystem: own.name, group: rig.group, name: 'own' });
    root = `/volumes/${rig.group}/own`;
    await fillFolders(path);
  });

  test('a client that is killed while restic reads: no backup, nothing left', async () => {
    let killed: Promise<void> = Promise.resolve();
    const kill = async () => {
      process.kill(await clientOf(root), 'SIGKILL');
      await own.evict(root);
    };
    const onStep = (step: string) => {
      if (step === 'backing up') killed = kill();
    };
    const options = { onStep, path: slowly };
    const before = await rig.repository.snapshots('--host', 'k8s-team-nspvc-own');
    const { result, leftovers } = await rig.backup(rig.dynamic('own', path, own.name), options);
    await killed;
    expect(result).toMatchObject({ outcome: 'failed', snapshot: null });
    expect(leftovers).toEqual([]);
    expect(await rig.repository.snapshots('--host', 'k8s-team-nspvc-own')).toEqual(before);
    expect(await rig.snapshots('own', own.name)).toEqual([]);
  });

  test('a client that hangs in use: it is ended by force, the mount let go, and both are told', async () => {
    let holder = 0;
    let frozen: Promise<void> = Promise.resolve();
    const freeze = async () => {
      const pid = await clientOf(root);
      holder = await somebodyIn(pid, '/run/cephbackup/volume');
      process.kill(pid, 'SIGSTOP');
      await own.evict(root);
    };
    const onStep = (step: string) => {
      if (step === 'backing up') frozen = freeze();
    };
    try {
      const options = { onStep, path: slowly, timeout: 15_000 };
      const { result, leftovers } = await rig.backup(rig.dynamic('own', path, own.name), options);
      await frozen;
      expect(result).toMatchObject({ outcome: 'failed', snapshot: null });
      expect(result.error?.code).toMatch(timeout);
      expect(result.warnings).toEqual([expect.stringContaining('unmounted by force')]);
      expect(leftovers).toEqual([]);
      expect(await processesWith('ceph-fuse', `--client_fs=${own.name}`)).toEqual([]);
      expect(await rig.snapshots('own', own.name)).toEqual([]);
    } finally {
      if (holder !== 0) process.kill(holder, 'SIGKILL');
    }
  });
});

/** A process whose working directory is within the mount namespace of another. */
async function somebodyIn(namespaceOf: number, directory: string): Promise<number> {
  const args = [`--mount=/proc/${namespaceOf}/ns/mnt`, `--wdns=${directory}`, '--', 'sleep', '120'];
  const { pid = 0 } = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'nsenter', ...args], {
    stdio: 'ignore',
  });
  while ((await readlink(`/proc/${pid}/cwd`)) !== directory) await sleep(20);
  return pid;
}
