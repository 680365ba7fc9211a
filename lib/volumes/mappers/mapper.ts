import type { Logger } from '../../log/logger.js';
import type { Scope } from '../../ownership/scope.js';
import type { Environment } from '../../tools/process/environment.js';
import type { StartDaemon } from '../../tools/process/daemon.js';
import type { Exec } from '../../tools/process/exec.js';
import type { MountNamespace } from '../../tools/node/namespace.js';
import type { ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';

export interface MapRequest {
  image: ImageSpec;
  rbd: Rbd;
  namespace: MountNamespace;
  scope: Pick<Scope, 'add'>;
  cluster: string | null;
  signal: AbortSignal;
  log: Logger;
  /** Of krbd, out of an allow-list. */
  mapOptions?: readonly string[];
}

export interface MappedDevice {
  /** Inside the namespace: a block device, or a regular file that mount attaches to a loop device of its own. */
  path: string;
  loop: boolean;
  /** Whether what is mounted, seen as `major:minor`, is this device. */
  isBelow(majorMinor: string): Promise<boolean>;
}

/** Where a whole image can be read: a device, or an export of NBD; paths are those inside the namespace. */
export type ReadableDisk = { device: string } | { socket: string; export: string };

/** Makes an image readable and writable as a device of this node. One file each: krbd, nbd, fuse. */
export interface Mapper {
  /** Features that a clone may have so that this can map it. */
  cloneFeatures(): Promise<readonly string[]>;
  /** Registers its undo in `request.scope`. @throws CephbackupError MAP_FAILED … */
  map(request: MapRequest): Promise<MappedDevice>;
  /** The same for an image that is only read, in large pieces; where a device is as good, there is none. */
  open?(request: MapRequest): Promise<ReadableDisk>;
}

/** Makes an image readable by the best that the mapper has. @throws CephbackupError MAP_FAILED … */
export async function openImage(mapper: Mapper, request: MapRequest): Promise<ReadableDisk> {
  return (await mapper.open?.(request)) ?? { device: (await mapper.map(request)).path };
}

export interface MapperTools {
  exec: Exec;
  startDaemon: StartDaemon;
  env: Environment;
}

/**
 * What a clone of ours has. The object map lets its removal cost what was written to it: without one, Ceph asks for each
 * object that the size allows, which takes hours for an image of some 10 TiB.
 */
export const cloneFeatures = ['layering', 'exclusive-lock', 'object-map', 'fast-diff'] as const;
