import type { Logger } from '../../report/logger.js';
import type { Scope } from '../../run/scope.js';
import type { CephConnection } from '../../tools/ceph-connection.js';
import type { StartDaemon } from '../../tools/daemon.js';
import type { Environment } from '../../tools/environment.js';
import type { Exec, NamespaceRef } from '../../tools/exec.js';
import { stateDirectory } from '../../tools/namespace.js';

/** Where a client mounts, inside the volume's namespace. */
export const clientDirectory = `${stateDirectory}/cephfs`;

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
  /** Only where snapshots are made by mkdir; nothing else is ever written. */
  writable: boolean;
  /** `ms_mode` of the kernel client, as the PersistentVolume has it; null: the client's default. */
  msMode: string | null;
  namespace: NamespaceRef;
  scope: Scope;
  cluster: string | null;
  signal: AbortSignal;
  log: Logger;
  /** Told when the mount had to be given up by force. */
  warn: (text: string) => void;
}

/** A CephFS that is mounted at `clientDirectory`. */
export interface CephfsMount {
  /** The filesystem's type in /proc/self/mountinfo. */
  fsType: string;
  /** Whether its client still serves it. */
  alive(): boolean;
  /**
   * Unmounts, by force where it must be; succeeds where it is not mounted. The client's session at the metadata server
   * ends soon after. @throws CephbackupError where the mount stays in use
   */
  unmount(): Promise<void>;
  /** Ends a client that answers no more, so that whoever waits for it gets an error. */
  abandon(): Promise<void>;
}

/** A way to mount CephFS. */
export interface CephfsClient {
  /**
   * Mounts at `clientDirectory`; registers the undo in the request's scope.
   * @throws CephbackupError MOUNT_FAILED, DIRECTORY_NOT_FOUND, CEPH_FORBIDDEN, CEPHFS_UNAVAILABLE …
   */
  mount(request: CephfsMountRequest): Promise<CephfsMount>;
}

/** Seconds until a client gives up to reach a metadata server. */
export const mountTimeout = 30;
