import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { attempt, run, waitFor, type RunOptions, type RunResult } from '../process.js';
import type { Capabilities } from './keyring.js';

/** What a client needs to know of a sandbox's cluster; kept in its folder as `cluster.json`. */
export interface Coordinates {
  dir: string;
  fsid: string;
  /** `address:port`, as ceph-csi's configuration has them. */
  monitors: string[];
  filesystems: string[];
}

export interface PoolOptions {
  /** How many copies, on as many OSDs. Default 1. */
  size?: number;
  /** An erasure-coded pool for data, e.g. `{ k: 2, m: 1 }`; needs k + m OSDs. */
  erasure?: { k: number; m: number };
  placementGroups?: number;
}

export interface User {
  /** Without `client.`, as `--ceph-user` takes it. */
  id: string;
  keyring: string;
}

/** A running Ceph, from the administrator's view. */
export class CephCluster {
  readonly dir: string;
  readonly fsid: string;
  readonly monitors: string[];
  readonly filesystems: string[];
  readonly conf: string;
  readonly keyring: string;
  /** For programs that talk to this cluster as its administrator. */
  readonly env: { CEPH_CONF: string };

  constructor(coordinates: Coordinates) {
    this.dir = coordinates.dir;
    this.fsid = coordinates.fsid;
    this.monitors = coordinates.monitors;
    this.filesystems = coordinates.filesystems;
    this.conf = path.join(this.dir, 'ceph.conf');
    this.keyring = path.join(this.dir, 'keyring');
    this.env = { CEPH_CONF: this.conf };
  }

  /** The cluster that `startCeph` started in `dir`, perhaps in another process. */
  static async in(dir: string): Promise<CephCluster> {
    return new CephCluster(JSON.parse(await readFile(coordinatesFile(dir), 'utf8')) as Coordinates);
  }

  /** Runs a Ceph program (or any other) against this cluster. @throws Error unless it exits 0. */
  run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run(program, args, { ...options, env: { ...this.env, ...options.env } });
  }

  attempt(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return attempt(program, args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** `rbd ARGS`; short for the program that is used most. */
  rbd(...args: string[]): Promise<string> {
    return this.run('rbd', args);
  }

  /** The parsed output of `PROGRAM ARGS --format json`. */
  async json(program: string, args: readonly string[]): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        return JSON.parse(await this.run(program, [...args, '--format', 'json']));
      } catch (thrown) {
        // Ceph 16's clients abort now and then while they end, most of all beside sessions of clients that were killed.
        if (tries === 5 || !String(thrown).includes("'std::system_error'")) throw thrown;
      }
    }
  }

  /**
   * Several `ceph` commands by one process, whose start costs more than they do. Words are quoted as in a shell.
   * @throws Error if one of them fails.
   */
  async ceph(...commands: string[]): Promise<string> {
    const input = commands.map((command) => `${command}\n`).join('');
    const { code, stdout, stderr } = await this.attempt('ceph', [], { input });
    // Fed with commands, the program reports failures and goes on.
    if (code !== 0 || /^Error |^Invalid |no valid command/m.test(stderr)) {
      throw new Error(`ceph: ${commands.join('; ')}\n${stderr.trim()}`);
    }
    return stdout;
  }

  async createPool(
    name: string,
    { size = 1, erasure, placementGroups = 4 }: PoolOptions = {},
  ): Promise<void> {
    if (erasure === undefined) {
      const replicated = `osd pool create ${name} ${placementGroups} ${placementGroups} replicated --size ${size}`;
      await this.ceph(replicated, `osd pool application enable ${name} rbd`);
    } else {
      const { k, m } = erasure;
      await this.ceph(
        `osd erasure-code-profile set ec-${k}-${m} k=${k} m=${m} crush-failure-domain=osd`,
        `osd pool create ${name} ${placementGroups} ${placementGroups} erasure ec-${k}-${m}`,
        `osd pool set ${name} allow_ec_overwrites true`,
        `osd pool application enable ${name} rbd`,
      );
    }
    if (erasure === undefined) await this.initializePool(name);
  }

  /** Also waits until the pool takes data. A client that came too early asks again often, not every 5 seconds. */
  async initializePool(name: string): Promise<void> {
    await this.run('rbd', ['--objecter_tick_interval=0.2', 'pool', 'init', name]);
  }

  deletePool(name: string): Promise<string> {
    return this.ceph(`osd pool delete ${name} ${name} --yes-i-really-really-mean-it`);
  }

  /** @param image `POOL[/NAMESPACE]/IMAGE` @param size bytes, or with rbd's units: `64M` */
  async createImage(image: string, size: number | string, options: string[] = []): Promise<void> {
    await this.rbd('create', image, '--size', typeof size === 'number' ? `${size}B` : size, ...options);
  }

  /** A user with these capabilities and no others, with a keyring file of its own in the cluster's folder. */
  async createUser(id: string, capabilities: Capabilities): Promise<User> {
    const grants = Object.entries(capabilities).flat();
    const keyring = path.join(this.dir, `${id}.keyring`);
    const text = await this.run('ceph', ['auth', 'get-or-create', `client.${id}`, ...grants]);
    await writeFile(keyring, text, { mode: 0o600 });
    return { id, keyring };
  }

  /** Resolves when the manager answers: it does `ceph fs subvolume` and the like, and is the last to come up. */
  async managerReady(): Promise<void> {
    const [filesystem] = this.filesystems;
    const command = filesystem === undefined ? ['pg', 'stat'] : ['fs', 'subvolumegroup', 'ls', filesystem];
    await waitFor('the manager of Ceph', 60_000, async () => {
      const { code } = await this.attempt('ceph', command, { timeout: 15_000 });
      return code === 0;
    });
  }
}

export function coordinatesFile(dir: string): string {
  return path.join(dir, 'cluster.json');
}
