import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import type { CephCluster } from './ceph/cluster.js';

/** Where to look for things that a program may leave behind. */
export interface WorldScope {
  cluster: CephCluster;
  /** `POOL` or `POOL/NAMESPACE`: those that nobody else changes meanwhile. */
  imagePools?: readonly string[];
  /** Groups of subvolumes that nobody else changes meanwhile. */
  shareGroups?: readonly { filesystem: string; group: string }[];
  /** The TMPDIR that the program and its children get: it marks their processes, and has their temporary files. */
  temporary?: string;
}

/** Everything outside this process that a backup program can leave behind, one line each. */
export type World = ReadonlySet<string>;

export async function observeWorld(scope: WorldScope): Promise<World> {
  const { cluster, imagePools = [], shareGroups = [], temporary } = scope;
  const parts = await Promise.all([
    ...imagePools.map((pool) => imagesOf(cluster, pool)),
    ...shareGroups.map(({ filesystem, group }) => sharesOf(cluster, filesystem, group)),
    mounts(['cephbackup', cluster.dir, ...(temporary === undefined ? [] : [temporary])]),
    loopDevices(),
    mappedDevices(),
    ...(temporary === undefined ? [] : [processes(temporary), files(temporary)]),
  ]);
  return new Set(parts.flat());
}

/** What is there now and was not before (`+`), and what is no more (`-`). */
export function worldChanges(before: World, after: World): string[] {
  return [
    ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`),
    ...[...before].filter((line) => !after.has(line)).map((line) => `- ${line}`),
  ];
}

interface SnapshotJson {
  id: number;
  name: string;
  namespace?: { type: string };
}

async function imagesOf(cluster: CephCluster, pool: string): Promise<string[]> {
  const names = (await cluster.json('rbd', ['ls', pool])) as string[];
  const trash = (await cluster.json('rbd', ['trash', 'ls', '--all', pool])) as { id: string; name: string }[];
  const images = await Promise.all([
    ...names.map(async (name) => {
      const image = `${pool}/${name}`;
      const title = `image ${image}`;
      return [title, ...(await snapshotsOf(cluster, title, [image])), ...(await watchersOf(cluster, image))];
    }),
    ...trash.map(async ({ id, name }) => {
      const title = `trashed image ${pool}/${name}`;
      const [inPool = '', namespace = ''] = pool.split('/');
      const address = ['--pool', inPool, '--namespace', namespace, '--image-id', id];
      return [title, ...(await snapshotsOf(cluster, title, address))];
    }),
  ]);
  return images.flat();
}

/** Also those that `rbd snap ls` hides: what a clone keeps, or what a killed removal left. */
async function snapshotsOf(cluster: CephCluster, title: string, address: string[]): Promise<string[]> {
  const snapshots = (await cluster.json('rbd', ['snap', 'ls', '--all', ...address])) as SnapshotJson[];
  return snapshots.map(({ id, name, namespace }) => {
    const hidden = namespace === undefined || namespace.type === 'user' ? '' : ` (${namespace.type})`;
    return `snapshot ${id} ${name}${hidden} of ${title}`;
  });
}

async function watchersOf(cluster: CephCluster, image: string): Promise<string[]> {
  const status = (await cluster.json('rbd', ['status', image])) as { watchers?: { address: string }[] };
  return (status.watchers ?? []).map(({ address }) => `watcher ${address} of image ${image}`);
}

async function sharesOf(cluster: CephCluster, filesystem: string, group: string): Promise<string[]> {
  const inGroup = ['--group_name', group];
  const names = (await cluster.json('ceph', ['fs', 'subvolume', 'ls', filesystem, ...inGroup])) as {
    name: string;
  }[];
  const shares = await Promise.all(
    names.map(async ({ name }) => {
      const title = `subvolume ${filesystem}/${group}/${name}`;
      const list = ['fs', 'subvolume', 'snapshot', 'ls', filesystem, name, ...inGroup];
      const snapshots = (await cluster.json('ceph', list)) as { name: string }[];
      return [title, ...snapshots.map((snapshot) => `snapshot ${snapshot.name} of ${title}`)];
    }),
  );
  return shares.flat();
}

/** Mounts that everybody on this machine sees, as far as they have one of these words: others may mount something. */
async function mounts(words: string[]): Promise<string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  return lines.filter((line) => words.some((word) => line.includes(word))).map((line) => `mount ${line}`);
}

/**
 * Loop devices that are attached but not mounted by anybody, in whatever namespace. A mounted one goes with the
 * namespace of its mount, whose processes are looked for by themselves; others on this machine may have such.
 */
async function loopDevices(): Promise<string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const idle = await Promise.all(
    names.map(async (name) => {
      const file = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => null);
      if (file === null || (await isBusy(`/dev/${name}`))) return [];
      return [`loop device ${name} of ${file.trim()}`];
    }),
  );
  return idle.flat();
}

async function isBusy(device: string): Promise<boolean> {
  try {
    const handle = await open(device, constants.O_RDONLY | constants.O_EXCL);
    await handle.close();
    return false;
  } catch {
    return true;
  }
}

async function mappedDevices(): Promise<string[]> {
  const rbd = await readdir('/sys/bus/rbd/devices').catch(() => []);
  const block = await readdir('/sys/block');
  const nbd = await Promise.all(
    block
      .filter((name) => name.startsWith('nbd'))
      .map(async (name) => {
        const pid = await readFile(`/sys/block/${name}/pid`, 'utf8').catch(() => null);
        return pid === null ? [] : [`mapped device ${name}`];
      }),
  );
  return [...rbd.map((id) => `mapped device rbd${id}`), ...nbd.flat()];
}

/** Processes whose TMPDIR is `temporary`: the program's and its children's, however they were orphaned. */
async function processes(temporary: string): Promise<string[]> {
  const mark = `TMPDIR=${temporary}`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const ours = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      if (!environment.split('\0').includes(mark)) return [];
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return [`process ${pid} ${command.replaceAll('\0', ' ').slice(0, 200)}`];
    }),
  );
  return ours.flat();
}

async function files(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.map((name) => `file ${folder}/${name}`);
}
