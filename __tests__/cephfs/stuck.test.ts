import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readlink, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
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
}, 120_000);

async function fill(root: string): Promise<void> {
  for (let folder = 0; folder < 20; folder += 1) {
    await mkdir(`${root}/${folder}`);
    const files = Array.from({ length: 10 }, (_, file) => `${root}/${folder}/${file}`);
    await Promise.all(files.map((file) => writeFile(file, randomBytes(5_000))));
  }
}

/** Of the volume, or of the command that did not end by SIGKILL either. */
const timeout = /^(VOLUME|COMMAND)_TIMEOUT$/;
const resticRuns = () => processesWith('restic', 'backup', '--host=k8s-team-nspvc-own');

describe('a filesystem without a metadata server', () => {
  test('is not waited for', async () => {
    const volume = rig.fixed('own', '/app', { fsName: own.name });
    const { result, leftovers } = await rig.backup(volume);
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'CEPHFS_UNAVAILABLE' } });
    expect(leftovers).toEqual([]);
  });
});

describe('with a metadata server', () => {
  let path: string;
  /** The directory that is mounted for it. */
  let root: string;
  beforeAll(async () => {
    await own.startServer();
    path = await createSubvolume(rig.cluster, { filesystem: own.name, group: rig.group, name: 'own' });
    root = `/volumes/${rig.group}/own`;
    const share = await mountShare(rig.cluster, own.name, '/');
    await mkdir(`${share.path}/app`);
    await fill(`${share.path}/app`);
    await fill(`${share.path}${path}`);
    await share.unmount();
  }, 120_000);

  test('that answers no more the volume ends at its deadline, and others do not wait for it', async () => {
    const neighbour = await rig.subvolume('neighbour');
    const share = await mountShare(rig.cluster, 'cephfs', neighbour);
    await writeFile(`${share.path}/file`, 'x');
    await share.unmount();
    const onStep = (step: string) => {
      if (step === 'backing up') own.freeze();
    };
    try {
      const options = { timeout: 5_000, onStep, path: slowly };
      const stuck = rig.backup(rig.fixed('own', '/app', { fsName: own.name }), options);
      const { result } = await rig.backup(rig.dynamic('neighbour', neighbour));
      expect(result).toMatchObject({ outcome: 'succeeded', error: null });
      // Who waits for an answer of ceph-fuse cannot even be killed: ceph-fuse has to be.
      for (let tries = 0; tries < 90 && (await resticRuns()).length > 0; tries += 1) await sleep(500);
      expect(await resticRuns()).toEqual([]);
      own.thaw();
      const { result: failed, leftovers } = await stuck;
      expect(failed).toMatchObject({ outcome: 'failed', snapshot: null });
      expect(failed.error?.code).toMatch(timeout);
      expect(leftovers).toEqual([]);
    } finally {
      own.thaw();
    }
    expect(await processesWith('ceph-fuse', `--client_fs=${own.name}`)).toEqual([]);
  }, 150_000);

  test('and a client that is killed while restic reads: no backup, nothing left', async () => {
    let killed: Promise<void> = Promise.resolve();
    const kill = async () => {
      process.kill(await clientOf(root), 'SIGKILL');
      await own.evict(root);
    };
    const onStep = (step: string) => {
      if (step === 'backing up') killed = kill();
    };
    const options = { onStep, path: slowly };
    const { result, leftovers } = await rig.backup(rig.dynamic('own', path, own.name), options);
    await killed;
    expect(result).toMatchObject({ outcome: 'failed', snapshot: null });
    expect(leftovers).toEqual([]);
    expect(await rig.repository.snapshots('--host', 'k8s-team-nspvc-own')).toEqual([]);
    expect(await rig.snapshots('own', own.name)).toEqual([]);
  }, 150_000);

  test('and a client that hangs in use: it is ended by force, the mount let go, and both are told', async () => {
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
      const options = { onStep, path: slowly, timeout: 5_000 };
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
  }, 150_000);
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
