import type { Scope } from '../../ownership/scope.js';
import type { CephConnection } from '../../tools/ceph/connection.js';
import type { StartDaemon } from '../../tools/process/daemon.js';
import type { Environment } from '../../tools/process/environment.js';
import type { Exec, NamespaceRef } from '../../tools/process/exec.js';
import { stateDirectory } from '../../tools/node/namespace.js';

/** Where a client mounts, inside the volume's namespace. */
export const clientDirectory = `${stateDirectory}/cephfs`;

/** How a mount is named in reports. */
export function formatMount({ fs, root }: Pick<CephfsMountRequest, 'fs' | 'root'>): string {
  return `${clientDirectory} (${fs}:${root})`;
}

export interface ClientTools {
  exec: Exec;
  startDaemon: StartDaemon;
  env: Environment;
}

export interface CephfsMountRequest {
  connection: CephConnection;
  /** The filesystem's name. */
  fs: string;
  /** The directory of the filesystem that is mounted. */
  root: string;
  /** Where snapshots are made by mkdir, and for restores. */
  writable: boolean;
  /** How the kernel's client is to speak with the cluster, out of an allow-list. */
  kernelOptions: readonly string[];
  namespace: NamespaceRef;
  signal: AbortSignal;
  /** Told when the mount had to be given up by force. */
  warn: (text: string) => void;
}

/** A CephFS at `clientDirectory`. Every step but `mount` succeeds where there is nothing to do. */
export interface CephfsMount {
  /** The filesystem's type in /proc/self/mountinfo. */
  fsType: string;
  /** @throws CephbackupError MOUNT_FAILED, DIRECTORY_NOT_FOUND, CEPH_FORBIDDEN, CEPHFS_UNAVAILABLE … */
  mount(): Promise<void>;
  /** Whether its client still serves it. */
  alive(): boolean;
  /** Unmounts, by force where it must be. @throws CephbackupError where the mount stays in use */
  unmount(): Promise<void>;
  /** Makes a client that answers no more end, so that whoever waits for it gets an error. */
  abandon(): Promise<void>;
  /** After `unmount`: waits until the client's session at the metadata server has ended. */
  ended(): Promise<void>;
  /** After `ended`: why what was written may not have reached the filesystem; null where it has. */
  lost(): string | null;
}

/** A way to mount CephFS; starts nothing yet. */
export type CephfsClient = (request: CephfsMountRequest) => CephfsMount;

/** Mounts, and registers the undo before. @throws CephbackupError as `mount` */
export async function mountInScope(
  client: CephfsClient,
  request: CephfsMountRequest,
  { scope, cluster }: { scope: Scope; cluster: string | null },
): Promise<CephfsMount> {
  const mount = client(request);
  scope.add({ kind: 'mount', name: formatMount(request), cluster }, async () => {
    await mount.unmount();
    await mount.ended();
  });
  await mount.mount();
  return mount;
}

/** A client gives up to reach a metadata server after so long. */
export const mountTimeoutSeconds = 30;
