import { CephbackupError } from '../../errors/error.js';
import { mountedServer } from '../../fuse/mount.js';
import { printable } from '../../log/logger.js';
import { mkdirInside } from '../../tools/node/in-namespace.js';
import { exportDirectory, serverCommand } from '../../tools/node/namespace.js';
import type { NamespaceRef } from '../../tools/process/exec.js';
import type { LookTools } from '../tools.js';
import { diskFile, serveSegmentsCommand } from './command.js';

const mountPoint = `${exportDirectory}/segments`;
const readyWithinMs = 60_000;

/**
 * Shows a disk that was backed up in segments as one file, inside the namespace.
 * @param folder of the segments @throws CephbackupError BACKUP_DAMAGED, VIEW_FAILED
 */
export async function serveAsOneFile(
  { startDaemon, env, program, scope, signal }: LookTools,
  namespace: NamespaceRef,
  folder: string,
): Promise<{ path: string; sizeBytes: number }> {
  await mkdirInside(namespace, mountPoint);
  let announce: (line: string) => void = () => undefined;
  let late: NodeJS.Timeout | undefined;
  const announced = new Promise<string>((resolve) => {
    announce = resolve;
    late = setTimeout(resolve, readyWithinMs, `nothing after ${readyWithinMs / 1000} s`);
  });
  const command = mountedServer(mountPoint, [...program, serveSegmentsCommand, folder]);
  const daemon = startDaemon(...serverCommand(...command), { env, namespace, onLine: announce });
  scope.add(null, () => daemon.stop());
  const said = await Promise.race([announced, daemon.ended]);
  clearTimeout(late);
  signal.throwIfAborted();
  const [word, rest] = [said.split(' ', 1)[0], said.slice(said.indexOf(' ') + 1)];
  if (word === 'ready') return { path: `${mountPoint}/${diskFile}`, sizeBytes: Number(rest) };
  if (word === 'unreadable')
    throw new CephbackupError('BACKUP_DAMAGED', `the disk's image.json: ${printable(rest)}`);
  throw new CephbackupError('VIEW_FAILED', `the disk could not be served as one file: ${printable(said)}`);
}
