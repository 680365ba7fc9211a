import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CephCluster } from '../../sandbox/ceph.js';
import { Daemon, waitFor } from '../../sandbox/process.js';
import { atEnd } from '../support/temporary.js';

/** A filesystem of a test file's own, whose metadata server can be stopped without harm to others. */
export class OwnFilesystem {
  #server: Daemon | null = null;

  private constructor(
    private readonly cluster: CephCluster,
    readonly name: string,
  ) {}

  /** Creates it, without a metadata server. */
  static async create(cluster: CephCluster): Promise<OwnFilesystem> {
    const name = `own-${randomBytes(3).toString('hex')}`;
    const [meta, data] = [`cephfs.${name}.meta`, `cephfs.${name}.data`];
    await cluster.ceph(
      `osd pool create ${meta}`,
      `osd pool create ${data}`,
      `fs new ${name} ${meta} ${data}`,
    );
    const own = new OwnFilesystem(cluster, name);
    atEnd(async () => {
      await own.#server?.stop('SIGKILL');
      await cluster.ceph(
        `fs fail ${name}`,
        `fs rm ${name} --yes-i-really-mean-it`,
        ...[meta, data].map((pool) => `osd pool delete ${pool} ${pool} --yes-i-really-really-mean-it`),
      );
    });
    return own;
  }

  get #id(): string {
    return `mds-${this.name}`;
  }

  get #socket(): string {
    return path.join(this.cluster.dir, this.#id, 'socket');
  }

  async startServer(): Promise<void> {
    const { cluster, name } = this;
    const folder = path.join(cluster.dir, this.#id);
    await mkdir(folder, { recursive: true });
    const keyring = path.join(folder, 'keyring');
    const grants = ['mon', 'profile mds', 'mgr', 'profile mds', 'mds', 'allow *', 'osd', 'allow *'];
    const text = await cluster.run('ceph', ['auth', 'get-or-create', `mds.${this.#id}`, ...grants]);
    await writeFile(keyring, text, { mode: 0o600 });
    const args = ['-i', this.#id, '-f', '--keyring', keyring, '--mds_join_fs', name];
    args.push('--admin-socket', this.#socket);
    this.#server = new Daemon('ceph-mds', 'ceph-mds', args, path.join(folder, 'log'), cluster.env);
    await waitFor(`the metadata server of ${name}`, 60_000, async () => {
      const status = (await cluster.json('ceph', ['fs', 'dump'])) as {
        filesystems: { mdsmap: { fs_name: string; info: Record<string, { state: string }> } }[];
      };
      const mine = status.filesystems.find(({ mdsmap }) => mdsmap.fs_name === name);
      return Object.values(mine?.mdsmap.info ?? {}).some(({ state }) => state === 'up:active');
    });
  }

  /**
   * Ends the sessions of clients that have mounted a directory, as the server does by itself after a silent minute.
   * @param butNewest of several, the one that came last stays
   */
  async evict(root: string, { butNewest = false } = {}): Promise<void> {
    const server = ['--admin-daemon', this.#socket];
    const sessions = (await this.cluster.json('ceph', [...server, 'session', 'ls'])) as {
      id: number;
      client_metadata: { root?: string };
    }[];
    const ids = sessions.filter(({ client_metadata: client }) => client.root === root).map(({ id }) => id);
    for (const id of ids.toSorted((a, b) => a - b).slice(0, butNewest ? -1 : undefined)) {
      await this.cluster.run('ceph', [...server, 'client', 'evict', `id=${id}`]);
    }
  }

  /** Makes the server answer no more, for as long as `thaw` is not called. */
  freeze(): void {
    process.kill(this.#pid(), 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.#pid(), 'SIGCONT');
  }

  #pid(): number {
    if (this.#server === null) throw new Error('the metadata server was not started');
    return this.#server.pid;
  }
}
