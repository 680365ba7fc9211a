import { CephbackupError } from '../../errors/error.js';
import type { Daemon, StartDaemon } from '../process/daemon.js';
import type { Environment } from '../process/environment.js';
import type { NamespaceRef } from '../process/exec.js';
import { mountedAt } from './mount.js';
import { writeInside } from './in-namespace.js';
import { serverCommand } from './namespace.js';
import { untilServed } from './served.js';

const withinMs = 60_000;

export interface DiskExport {
  namespace: NamespaceRef;
  /** QEMU's `BlockdevOptions`, without a name of the node. */
  blockdev: object;
  /** The file inside the namespace; must not exist. */
  file: string;
  /** Of what, for messages: ` of POOL/IMAGE`, or nothing. */
  of: string;
  /** Gets the daemon as soon as it is started, to stop it some time. */
  started: (daemon: Daemon) => void;
  signal: AbortSignal;
}

/**
 * Shows a disk as one regular file that can be written, by FUSE, from QEMU's storage daemon in a namespace.
 * Options: https://www.qemu.org/docs/master/tools/qemu-storage-daemon.html.
 *
 * @throws CephbackupError MAP_FAILED, NAMESPACE_FAILED
 */
export async function exportDisk(
  { startDaemon, env }: { startDaemon: StartDaemon; env: Environment },
  { namespace, blockdev, file, of, started, signal }: DiskExport,
): Promise<void> {
  await writeInside(namespace, file, '');
  const name = 'disk';
  const target = { type: 'fuse', id: 'export', 'node-name': name, mountpoint: file, writable: true };
  const args = [
    ...['--blockdev', JSON.stringify({ ...blockdev, 'node-name': name })],
    ...['--export', JSON.stringify({ ...target, 'allow-other': 'off' })],
  ];
  const daemon = startDaemon(...serverCommand('qemu-storage-daemon', args), { env, namespace });
  started(daemon);
  const failed = (why: string) => new CephbackupError('MAP_FAILED', `qemu-storage-daemon${of}: ${why}`);
  await untilServed({
    daemon,
    namespace,
    isServed: async () => (await mountedAt(namespace, file)) !== null,
    withinMs,
    dead: async () => failed(await daemon.ended),
    late: () => failed(`nothing after ${withinMs / 1000} s`),
    signal,
  });
}
