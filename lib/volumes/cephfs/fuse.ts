import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CephbackupError } from '../../errors/error.js';
import { connectionArguments } from '../../tools/ceph-connection.js';
import type { Daemon } from '../../tools/daemon.js';
import { mountedAt } from '../../tools/mount.js';
import { pathInside } from '../../tools/namespace.js';
import {
  clientDirectory,
  mountTimeout,
  type CephfsClient,
  type CephfsMount,
  type CephfsMountRequest,
  type ClientTools,
} from './client.js';
import { mountError } from './mount-error.js';
import { restrict, tryUnmount } from './mounts.js';

/** Beyond the client's own limit. */
const mountedWithin = (mountTimeout + 15) * 1000;
/** Milliseconds for a client to close its session after it was unmounted; it takes one second. */
const endsWithin = 10_000;

/**
 * ceph-fuse, in the foreground and in the volume's mount namespace: it dies with this program. One process for each
 * volume, because it numbers the snapshots that it meets and puts that number into st_ino: a process that meets one
 * snapshot only gives the same numbers in every run, so that restic finds unchanged files, and trees, unchanged.
 */
export function fuseClient(tools: ClientTools): CephfsClient {
  return {
    async mount(request) {
      const { namespace, scope, cluster, fs, root, signal } = request;
      await mkdir(pathInside(namespace, clientDirectory), { recursive: true });
      const daemon = tools.startDaemon('ceph-fuse', fuseArguments(request), { env: tools.env, namespace });
      const mount = new FuseMount(tools, request, daemon);
      scope.add({ kind: 'mount', name: `${clientDirectory} (${fs}:${root})`, cluster }, () => mount.close());
      await mount.ready();
      await restrict(tools.exec, namespace, clientDirectory, request.writable ? 'rw' : 'ro', signal);
      return mount;
    },
  };
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

  constructor(
    private readonly tools: ClientTools,
    private readonly request: CephfsMountRequest,
    private readonly daemon: Daemon,
  ) {}

  alive(): boolean {
    return this.daemon.alive();
  }

  async ready(): Promise<void> {
    const { namespace, signal } = this.request;
    const end = performance.now() + mountedWithin;
    while ((await mountedAt(namespace, clientDirectory)) === null) {
      signal.throwIfAborted();
      if (!this.daemon.alive()) throw mountError(this.request, await this.daemon.ended);
      if (performance.now() > end) {
        const message = `ceph-fuse: nothing is mounted after ${mountedWithin / 1000} s`;
        throw new CephbackupError('CEPHFS_UNAVAILABLE', message, { retryable: true });
      }
      await sleep(10);
    }
  }

  async unmount(): Promise<void> {
    const { exec } = this.tools;
    const { namespace, warn } = this.request;
    const problem = await tryUnmount(exec, namespace, clientDirectory);
    if (problem === null) return;
    await this.abandon();
    const left = await tryUnmount(exec, namespace, clientDirectory, ['--lazy']);
    if (left !== null) throw new CephbackupError('COMMAND_FAILED', `umount of ${clientDirectory}: ${left}`);
    warn(`ceph-fuse did not let go of its mount and was ended by force: ${problem}`);
  }

  async abandon(): Promise<void> {
    await this.daemon.stop();
  }

  async close(): Promise<void> {
    await this.unmount();
    const patience = new AbortController();
    try {
      await Promise.race([this.daemon.ended, sleep(endsWithin, null, { signal: patience.signal })]);
    } finally {
      patience.abort();
    }
    if (this.daemon.alive()) await this.daemon.stop();
  }
}
