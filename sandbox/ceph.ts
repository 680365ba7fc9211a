import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CephCluster, coordinatesFile, type Coordinates } from './ceph/cluster.js';
import { cephConfig } from './ceph/config.js';
import {
  administrator,
  centralDaemons,
  keyringText,
  mdsCapabilities,
  osdCapabilities,
  usualKeyType,
  type KeyType,
} from './ceph/keyring.js';
import { freePorts } from './ports.js';
import { Daemon, run } from './process.js';

export interface CephOptions {
  /** A folder that does not exist yet, for everything that the cluster keeps; `stop` removes it. */
  dir: string;
  /** CephFS filesystems, each with its own MDS. */
  filesystems?: string[];
  /** Pools for images. */
  pools?: string[];
  osds?: number;
  /** Bytes that each OSD can hold, in memory. */
  capacity?: number;
  /**
   * The types of keys that the cluster takes; its own are of the first. Default: the one that this Ceph takes by itself.
   * With a list, it must know aes256k.
   */
  keyTypes?: readonly [KeyType, ...KeyType[]];
}

/** A cluster and the daemons that make it. */
export interface RunningCeph {
  cluster: CephCluster;
  /** Ends the daemons at once and removes their folder. */
  stop(): Promise<void>;
}

/**
 * Starts a real Ceph on loopback, with data in memory: a monitor, a manager, OSDs, and an MDS for each filesystem.
 * Its daemons die with this process, however that dies. Takes 2 to 3 seconds on a quiet machine.
 */
export async function startCeph({
  dir,
  filesystems = ['cephfs'],
  pools = ['rbd'],
  osds = 1,
  capacity = 4 * 1024 ** 3,
  keyTypes,
}: CephOptions): Promise<RunningCeph> {
  if (/[\s,;#"']/.test(dir)) throw new Error(`Ceph cannot live in a folder with such a name: ${dir}`);
  const daemons: Daemon[] = [];
  const stop = async () => {
    // There is nothing to save.
    await Promise.all(daemons.map((daemon) => daemon.stop('SIGKILL')));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await mkdir(path.dirname(dir), { recursive: true });
    await mkdir(dir, { mode: 0o700 });
    const cluster = await layOut({ dir, filesystems, osds, capacity, keyTypes });
    const start = (type: string, id: string) => {
      const log = path.join(dir, `${type}.${id}.log`);
      const daemon = new Daemon(`ceph-${type}`, `ceph-${type}`, ['-i', id, '-f'], log, {
        ...cluster.env,
        PYTHONPATH: path.join(dir, 'python'),
      });
      daemons.push(daemon);
      return daemon;
    };
    const osdIds = [...Array(osds).keys()].map(String);
    const uuids = osdIds.map(() => randomUUID());

    await Promise.all([
      makeMonitor(cluster),
      ...osdIds.map((id, index) =>
        cluster.run('ceph-osd', ['-i', id, '--mkfs', '--osd-uuid', uuids[index] ?? '', '--no-mon-config']),
      ),
    ]);
    const monitor = start('mon', 'a');
    await monitor.until(async () => (await cluster.attempt('rados', ['lspools'])).code === 0);
    start('mgr', 'x');
    await cluster.ceph(
      ...uuids.map((uuid, index) => `osd new ${uuid} ${index}`),
      ...pools.map((pool) => `osd pool create ${pool}`),
      ...pools.map((pool) => `osd pool application enable ${pool} rbd`),
      ...filesystems.flatMap(createFilesystem),
      'health mute MGR_MODULE_ERROR --sticky',
    );
    for (const id of osdIds) start('osd', id);
    for (const filesystem of filesystems) start('mds', filesystem);
    await Promise.all([...pools.map((pool) => cluster.initializePool(pool)), cluster.managerReady()]);
    const dead = daemons.find((daemon) => !daemon.running);
    if (dead !== undefined) throw new Error(`${dead.name} has ended: see ${dead.logFile}`);
    return { cluster, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Writes everything that daemons and clients read. */
async function layOut(options: {
  dir: string;
  filesystems: string[];
  osds: number;
  capacity: number;
  keyTypes: CephOptions['keyTypes'];
}): Promise<CephCluster> {
  const { dir, filesystems, osds, capacity, keyTypes } = options;
  const keyType = keyTypes?.[0] ?? (await usualKeyType());
  const fsid = randomUUID();
  const [v2 = 0, v1 = 0] = await freePorts(2);
  const coordinates: Coordinates = { dir, fsid, monitors: [`127.0.0.1:${v1}`], filesystems };
  const admin = keyringText(administrator, keyType);
  const daemonUsers = {
    ...centralDaemons,
    ...Object.fromEntries([...Array(osds).keys()].map((id) => [`osd.${id}`, osdCapabilities])),
    ...Object.fromEntries(filesystems.map((name) => [`mds.${name}`, mdsCapabilities])),
  };
  const daemons = keyringText(daemonUsers, keyType);
  await Promise.all([
    writeFile(path.join(dir, 'ceph.conf'), cephConfig({ dir, fsid, ports: { v2, v1 }, capacity })),
    writeFile(path.join(dir, 'keyring'), admin, { mode: 0o600 }),
    // The monitor's first database takes everybody from here: no `ceph auth` is needed later.
    writeFile(path.join(dir, 'daemons.keyring'), admin + daemons, { mode: 0o600 }),
    writeFile(coordinatesFile(dir), JSON.stringify(coordinates)),
    ...['mon', 'mgr', 'mds', ...[...Array(osds).keys()].map((id) => `osd.${id}`)].map((name) =>
      mkdir(path.join(dir, name)),
    ),
  ]);
  await writeStandIn(dir);
  const address = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
  const monitors = ['--fsid', fsid, '--addv', 'a', address, ...ciphers(keyTypes)];
  await run('monmaptool', ['--create', ...monitors, path.join(dir, 'monmap')]);
  return new CephCluster(coordinates);
}

/** Tickets are in what every client of the cluster can read. */
function ciphers(keyTypes: CephOptions['keyTypes']): string[] {
  if (keyTypes === undefined) return [];
  const [own] = keyTypes;
  const used = [`--auth-service-cipher=${own}`, `--auth-preferred-cipher=${own}`];
  return [`--auth-allowed-ciphers=${keyTypes.join(',')}`, ...used];
}

/**
 * Debian 13's python3-bcrypt cannot be imported by a manager's module, so that none of them loads. They need it for the
 * dashboard's passwords only: an empty one will do.
 */
async function writeStandIn(dir: string): Promise<void> {
  const folder = path.join(dir, 'python');
  await mkdir(folder);
  await writeFile(path.join(folder, 'bcrypt.py'), '');
}

async function makeMonitor(cluster: CephCluster): Promise<void> {
  const files = ['--monmap', path.join(cluster.dir, 'monmap')];
  files.push('--keyring', path.join(cluster.dir, 'daemons.keyring'));
  await cluster.run('ceph-mon', ['--mkfs', '-i', 'a', ...files]);
}

function createFilesystem(name: string): string[] {
  const [meta, data] = [`cephfs.${name}.meta`, `cephfs.${name}.data`];
  return [`osd pool create ${meta}`, `osd pool create ${data}`, `fs new ${name} ${meta} ${data}`];
}

export { CephCluster };
export * from './ceph/images.js';
export * from './ceph/shares.js';
