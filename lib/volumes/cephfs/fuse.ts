import { connectionArguments } from '../../tools/ceph/connection.js';
import { lastLine } from '../../tools/process/outcome.js';
import { within } from '../../waiting/within.js';
import type { Daemon } from '../../tools/process/daemon.js';
import { mountedAt } from '../../tools/node/mount.js';
import { mkdirInside } from '../../tools/node/in-namespace.js';
import { untilServed } from '../../tools/node/served.js';
import {
  clientDirectory,
  mountTimeoutSeconds,
  type CephfsClient,
  type CephfsMount,
  type CephfsMountRequest,
  type ClientTools,
} from './client.js';
import { mountError, noAnswer } from './mount-error.js';
import { restrict, unmountOrAbandon } from './mounts.js';

/** Beyond the client's own limit, and below the 45 s that `doctor` gives each look. */
const mountedWithinMs = (mountTimeoutSeconds + 10) * 1000;
/** For a client to close its session after it was unmounted; it takes one second. */
const endsWithinMs = 10_000;

/**
 * Arguments of unshare. ceph-fuse remounts itself by a `mount` that waits for ever where ceph-fuse is killed just then,
 * and that holds the client's session open: the kernel takes down a process namespace as a whole.
 */
const inOwnProcessNamespace = ['--pid', '--fork', '--kill-child=KILL', '--'];

/**
 * ceph-fuse, in the foreground and in the volume's mount namespace: it dies with this program. One process for each
 * volume, because it numbers the snapshots that it meets and puts that number into st_ino: a process that meets one
 * snapshot only gives the same numbers in every run, so that restic finds unchanged files, and trees, unchanged.
 */
export function fuseClient(tools: ClientTools): CephfsClient {
  return (request) => new FuseMount(tools, request);
}

function fuseArguments({ connection, fs, root }: CephfsMountRequest): string[] {
  return [
    '-f',
    clientDirectory,
    ...connectionArguments(connection),
    `--client_fs=${fs}`,
    `--client_mountpoint=${root}`,
    '--client_snapdir=.snap',
    // ACLs are seen only so, and checked by the client: this program reads as root.
    '--client_acl_type=posix_acl',
    '--fuse_default_permissions=0',
  ];
}

class FuseMount implements CephfsMount {
  readonly fsType = 'fuse.ceph-fuse';
  #daemon: Daemon | null = null;
  #forced = false;

  constructor(
    private readonly tools: ClientTools,
    private readonly request: CephfsMountRequest,
  ) {}

  async mount(): Promise<void> {
    const { exec, startDaemon, env } = this.tools;
    const { namespace, writable, signal } = this.request;
    await mkdirInside(namespace, clientDirectory, { recursive: true });
    const args = [...inOwnProcessNamespace, 'ceph-fuse', ...fuseArguments(this.request)];
    this.#daemon = startDaemon('unshare', args, { env, namespace });
    await this.#mounted(this.#daemon);
    await restrict(exec, namespace, clientDirectory, writable ? 'rw' : 'ro', signal);
  }

  #mounted(daemon: Daemon): Promise<void> {
    const { namespace, signal } = this.request;
    return untilServed({
      daemon,
      namespace,
      isServed: async () => (await mountedAt(namespace, clientDirectory)) !== null,
      withinMs: mountedWithinMs,
      dead: () => mountError(this.request, daemon.stderr()),
      late: () => noAnswer(this.request, `ceph-fuse has mounted nothing after ${mountedWithinMs / 1000} s`),
      signal,
    });
  }

  alive(): boolean {
    return this.#daemon?.alive() === true;
  }

  async unmount(): Promise<void> {
    const { exec } = this.tools;
    const { namespace, warn } = this.request;
    if (this.#daemon === null) return;
    const problem = await unmountOrAbandon(exec, namespace, clientDirectory, () => this.abandon());
    this.#forced ||= problem !== null;
    if (problem !== null) warn(`ceph-fuse did not let go of its mount and was ended by force: ${problem}`);
  }

  async abandon(): Promise<void> {
    await this.#daemon?.stop();
  }

  async ended(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === null) return;
    await within(daemon.ended, endsWithinMs, () => null);
    if (!daemon.alive()) return;
    this.#forced = true;
    await daemon.stop();
    this.request.warn('ceph-fuse did not end although nothing was mounted any more, and was ended by force');
  }

  /** It writes what it holds when it is unmounted. */
  lost(): string | null {
    if (this.#forced) return 'ceph-fuse had to be ended by force';
    if (this.#daemon?.broke() !== true) return null;
    return `ceph-fuse died: ${lastLine(this.#daemon.stderr())}`;
  }
}
