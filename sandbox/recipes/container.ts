import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { attachImage, mount, type MountedVolume } from '../ceph/images.js';
import type { CephCluster } from '../ceph/cluster.js';
import { MountNamespace } from '../namespace.js';
import { attempt, Daemon, run, waitFor, type RunResult } from '../process.js';

/** A variable that every process of a container has. */
const mark = 'SANDBOX_CONTAINER';

/**
 * What a container of a pod is to a database: this machine's programs, files of its own, and volumes of Ceph where it
 * expects them. Nothing that is written there reaches the machine.
 */
export class Container {
  readonly #volumes: MountedVolume[] = [];
  readonly #servers: Daemon[] = [];
  readonly #id = randomUUID();

  private constructor(
    private readonly namespace: MountNamespace,
    private readonly network: Daemon,
    private readonly folder: string,
    private readonly root: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** @param folder a new one @param env of every command */
  static async create(folder: string, env: Record<string, string> = {}): Promise<Container> {
    const layers = path.join(folder, 'layers');
    await mkdir(layers, { recursive: true });
    const namespace = await MountNamespace.create();
    const [root, upper, work] = ['root', 'upper', 'work'].map((name) => path.join(layers, name));
    if (root === undefined || upper === undefined || work === undefined) throw new Error('unreachable');
    await namespace.run('mount', ['-t', 'tmpfs', 'layers', layers]);
    await namespace.run('mkdir', [root, upper, work]);
    const options = `lowerdir=/,upperdir=${upper},workdir=${work}`;
    await namespace.run('mount', ['-t', 'overlay', '-o', options, 'overlay', root]);
    await namespace.run('mount', ['-t', 'proc', 'proc', `${root}/proc`]);
    await namespace.run('mount', ['--rbind', '/dev', `${root}/dev`]);
    for (const name of ['tmp', 'run'])
      await namespace.run('mount', ['-t', 'tmpfs', '-o', 'mode=1777', name, `${root}/${name}`]);
    // Of its own, so that any number of servers have the port that their clients expect.
    const alone = ['--net', '--', 'sh', '-c', 'ip link set lo up && exec sleep infinity'];
    const network = new Daemon('network', 'unshare', alone, path.join(folder, 'network.log'));
    await network.until(async () => (await readFile(`/proc/${network.pid}/comm`, 'utf8')) === 'sleep\n');
    return new Container(namespace, network, folder, root, env);
  }

  /** Mounts an image with a filesystem. @param at an absolute path of the container @param owner a user of this machine */
  async volume(cluster: CephCluster, image: string, at: string, owner = 'root'): Promise<void> {
    const attached = await attachImage(cluster, image, this.namespace);
    await this.namespace.run('mkdir', ['-p', `${this.root}${at}`]);
    this.#volumes.push(await mount(attached, 'ext4', `${this.root}${at}`));
    await this.run('chown', [`${owner}:`, at]);
  }

  /** Shows a folder of this machine there. */
  async bind(folder: string, at: string): Promise<void> {
    await this.namespace.run('mkdir', ['-p', `${this.root}${at}`]);
    await this.namespace.run('mount', ['--bind', folder, `${this.root}${at}`]);
  }

  /** argv that brings a command into the container. */
  enter(user = 'root'): string[] {
    const variables = {
      PATH: '/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/tmp',
      ...this.env,
      [mark]: this.#id,
    };
    return [
      ...['nsenter', `--mount=/proc/${this.namespace.pid}/ns/mnt`, `--net=/proc/${this.network.pid}/ns/net`],
      ...['--', 'chroot', this.root],
      ...['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'],
      ...['env', '-i', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ];
  }

  run(program: string, args: readonly string[], user?: string): Promise<string> {
    const [enter = '', ...words] = [...this.enter(user), program, ...args];
    return run(enter, words);
  }

  attempt(program: string, args: readonly string[], user?: string): Promise<RunResult> {
    const [enter = '', ...words] = [...this.enter(user), program, ...args];
    return attempt(enter, words);
  }

  /** Starts a server, and waits until a command of a client succeeds. */
  async server(argv: readonly string[], user: string, ready: readonly string[]): Promise<Daemon> {
    const [enter = '', ...words] = [...this.enter(user), ...argv];
    const name = path.basename(argv[0] ?? '');
    const daemon = new Daemon(name, enter, words, path.join(this.folder, `${name}.log`));
    this.#servers.push(daemon);
    const [program = '', ...args] = ready;
    await daemon.until(async () => (await this.attempt(program, args, user)).code === 0);
    return daemon;
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.toReversed()) await server.stop('SIGINT');
    await this.#killAll();
    for (const volume of this.#volumes.toReversed()) await volume.unmount();
    await this.network.stop('SIGKILL');
    await this.namespace.close();
  }

  /** What a hook or a client has left would keep the mounts. */
  async #killAll(): Promise<void> {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      if (!environment.split('\0').includes(`${mark}=${this.#id}`)) continue;
      process.kill(Number(pid), 'SIGKILL');
      await waitFor(`process ${pid} to be gone`, 10_000, () => isGone(pid));
    }
  }
}

async function isGone(pid: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' || stat.includes(') Z ');
}
