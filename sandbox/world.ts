import path from 'node:path';
import type { CephCluster } from './ceph/cluster.js';
import { checkout } from './checkout.js';
import { hasGuest, runInGuest } from './vm/guest.js';
import { observeNode, type NodeScope } from './world/node.js';

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
    observeItsNode({
      words: ['cephbackup', cluster.dir, ...(temporary === undefined ? [] : [temporary])],
      temporary: temporary ?? null,
    }),
  ]);
  return new Set(parts.flat());
}

/** The node that the program runs on. */
async function observeItsNode(scope: NodeScope): Promise<string[]> {
  if (!hasGuest()) return observeNode(scope);
  const program = path.join(checkout, 'dist/sandbox/world/in-guest.js');
  const env = { PATH: process.env.PATH ?? '' };
  return JSON.parse(await runInGuest('node', [program, JSON.stringify(scope)], { env })) as string[];
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
      return [title, ...(await whatIsIn(cluster, title, image))];
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

/** Nothing where the image has no more than its name yet, or any more: a clone or a removal was killed. */
async function whatIsIn(cluster: CephCluster, title: string, image: string): Promise<string[]> {
  try {
    return [...(await snapshotsOf(cluster, title, [image])), ...(await watchersOf(cluster, image))];
  } catch (thrown) {
    if (String(thrown).includes('(2) No such file or directory')) return [];
    throw thrown;
  }
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
