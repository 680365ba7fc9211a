import { CephbackupError } from '../../errors/error.js';
import { completeConf } from '../../tools/ceph/conf.js';
import { kernelRefusesKey } from '../../tools/ceph/unreadable-key.js';
import { mountedAt } from '../../tools/node/mount.js';
import { mkdirInside, writeInside } from '../../tools/node/in-namespace.js';
import { stateDirectory } from '../../tools/node/namespace.js';
import {
  clientDirectory,
  mountTimeoutSeconds,
  type CephfsClient,
  type CephfsMount,
  type CephfsMountRequest,
  type ClientTools,
} from './client.js';
import { mountError } from './mount-error.js';
import { restrict, tryUnmount, unmountOrAbandon } from './mounts.js';

const confFile = `${stateDirectory}/ceph.conf`;

/**
 * The kernel's client. mount.ceph finds monitors and key by ceph.conf, so that no key is ever in argv, and hands the
 * key to the kernel. The device is written `:/path`, which mount.ceph of every release from 14 on understands.
 */
export function kernelClient(tools: ClientTools): CephfsClient {
  return (request) => new KernelMount(tools, request);
}

export function mountOptions({ connection, fs, writable, kernelOptions }: CephfsMountRequest): string[] {
  return [
    writable ? 'rw' : 'ro',
    'nosuid',
    'nodev',
    'noexec',
    `name=${connection.user ?? 'admin'}`,
    `conf=${confFile}`,
    `fs=${fs}`,
    `mount_timeout=${mountTimeoutSeconds}`,
    // A client of its own: what goes wrong with it must not touch the mounts of this node's pods.
    'noshare',
    ...kernelOptions,
  ];
}

class KernelMount implements CephfsMount {
  readonly fsType = 'ceph';
  #forced = false;

  constructor(
    private readonly tools: ClientTools,
    private readonly request: CephfsMountRequest,
  ) {}

  async mount(): Promise<void> {
    const { exec } = this.tools;
    const { namespace, root, signal, connection, writable } = this.request;
    const conf = await completeConf(connection, 'MOUNT_FAILED');
    await writeInside(namespace, confFile, conf, { mode: 0o600 });
    await mkdirInside(namespace, clientDirectory, { recursive: true });
    const options = mountOptions(this.request).join(',');
    const args = ['-t', 'ceph', '-o', options, '--', `:${root}`, clientDirectory];
    const deadlineMs = (mountTimeoutSeconds + 30) * 1000;
    const result = await exec('mount', args, { namespace, signal, deadlineMs, patience: {} });
    const refusal = result.exitCode === 0 ? null : kernelRefusesKey(connection, result.stderr);
    if (refusal !== null) {
      const message = `mount of ${root} of the filesystem ${this.request.fs}: ${refusal.message}`;
      throw new CephbackupError('MOUNT_FAILED', message, { guidance: refusal.guidance });
    }
    if (result.exitCode !== 0) throw mountError(this.request, result.stderr);
    await restrict(exec, namespace, clientDirectory, writable ? 'rw' : 'ro', signal);
    await this.#lookForAcls();
  }

  /** A kernel that is built without them does not even show that files have some [src: fs/ceph/super.c]. */
  async #lookForAcls(): Promise<void> {
    const { namespace, warn } = this.request;
    const mounted = await mountedAt(namespace, clientDirectory);
    if (mounted === null || mounted.options.includes('acl')) return;
    warn(
      'the CephFS client of this kernel knows no access control lists (CONFIG_CEPH_FS_POSIX_ACL): none are backed up',
    );
  }

  alive(): boolean {
    return true;
  }

  async unmount(): Promise<void> {
    const { exec } = this.tools;
    const { namespace, warn } = this.request;
    // Whoever still uses it keeps it in the kernel: the snapshot below must then stay.
    const problem = await unmountOrAbandon(exec, namespace, clientDirectory, () => this.abandon(), true);
    this.#forced ||= problem !== null;
    if (problem !== null) warn(`CephFS had to be unmounted by force: ${problem}`);
  }

  /** Ends the requests that wait for a server with an I/O error. */
  async abandon(): Promise<void> {
    await tryUnmount(this.tools.exec, this.request.namespace, clientDirectory, ['--force']);
  }

  /** The kernel closes the session when the last user of the mount is gone. */
  async ended(): Promise<void> {
    return Promise.resolve();
  }

  lost(): string | null {
    return this.#forced ? 'it had to be unmounted by force' : null;
  }
}
