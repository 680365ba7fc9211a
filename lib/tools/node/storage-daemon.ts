import { stat } from 'node:fs/promises';
import { CephbackupError } from '../../errors/error.js';
import type { Daemon, StartDaemon } from '../process/daemon.js';
import type { Environment } from '../process/environment.js';
import type { NamespaceRef } from '../process/exec.js';
import { mountedAt } from './mount.js';
import { writeInside } from './in-namespace.js';
import { pathInside, serverCommand } from './namespace.js';
import { untilServed } from './served.js';

const withinMs = 60_000;

export interface StorageDaemonTools {
  startDaemon: StartDaemon;
  env: Environment;
}

interface Export {
  namespace: NamespaceRef;
  /** QEMU's `BlockdevOptions`, without a name of the node. */
  blockdev: object;
  /** Of what, for messages: ` of POOL/IMAGE`, or nothing. */
  of: string;
  /** Gets the daemon as soon as it is started, to stop it some time. */
  started: (daemon: Daemon) => void;
  signal: AbortSignal;
}

export interface DiskExport extends Export {
  /** The file inside the namespace; must not exist. */
  file: string;
}

/**
 * Shows a disk as one regular file that can be written, by FUSE, from QEMU's storage daemon in a namespace.
 * Options: https://www.qemu.org/docs/master/tools/qemu-storage-daemon.html.
 *
 * @throws CephbackupError MAP_FAILED, NAMESPACE_FAILED
 */
export async function exportDisk(tools: StorageDaemonTools, wanted: DiskExport): Promise<void> {
  const { namespace, file } = wanted;
  await writeInside(namespace, file, '');
  const target = { type: 'fuse', mountpoint: file, writable: true, 'allow-other': 'off' };
  const isServed = async () => (await mountedAt(namespace, file)) !== null;
  await startStorageDaemon(tools, wanted, ['--export', exportOption(target)], isServed);
}

/** The name of the one disk that `serveDisk` serves. */
export const servedDisk = 'disk';

export interface DiskService extends Export {
  /** A path inside the namespace, below `exportDirectory`, at which nothing is. */
  socket: string;
}

/**
 * Serves a disk by NBD on a socket, to be read only: many requests at a time and as large as they come, which FUSE's are not.
 *
 * @throws CephbackupError MAP_FAILED, NAMESPACE_FAILED
 */
export async function serveDisk(tools: StorageDaemonTools, wanted: DiskService): Promise<void> {
  const { namespace, socket } = wanted;
  // It is written once everything is served.
  const ready = `${socket}.ready`;
  const target = { type: 'nbd', name: servedDisk, writable: false };
  const args = [
    ...['--nbd-server', `addr.type=unix,addr.path=${socket},max-connections=1`],
    ...['--export', exportOption(target), '--pidfile', ready],
  ];
  const isServed = async () => (await stat(pathInside(namespace, ready)).catch(() => null)) !== null;
  await startStorageDaemon(tools, wanted, args, isServed);
}

const node = 'disk';

function exportOption(target: object): string {
  return JSON.stringify({ ...target, id: 'export', 'node-name': node });
}

async function startStorageDaemon(
  { startDaemon, env }: StorageDaemonTools,
  { namespace, blockdev, of, started, signal }: Export,
  served: readonly string[],
  isServed: () => Promise<boolean>,
): Promise<void> {
  const args = ['--blockdev', JSON.stringify({ ...blockdev, 'node-name': node }), ...served];
  const daemon = startDaemon(...serverCommand('qemu-storage-daemon', args), { env, namespace });
  started(daemon);
  const failed = (why: string) => new CephbackupError('MAP_FAILED', `qemu-storage-daemon${of}: ${why}`);
  await untilServed({
    daemon,
    namespace,
    isServed,
    withinMs,
    dead: async () => failed(await daemon.ended),
    late: () => failed(`nothing after ${withinMs / 1000} s`),
    signal,
  });
}
