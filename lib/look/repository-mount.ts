import { stat } from 'node:fs/promises';
import { CephbackupError } from '../errors/error.js';
import type { Backup } from '../repository/claims.js';
import { mountLocally, safeMountOptions } from '../tools/node/mount.js';
import { exportDirectory, pathInside, serverCommand } from '../tools/node/namespace.js';
import { untilServed } from '../tools/node/served.js';
import type { NamespaceRef } from '../tools/process/exec.js';
import type { LookTools } from './tools.js';

const mountPoint = `${exportDirectory}/repository`;
const readyWithinMs = 300_000;

/**
 * Shows a snapshot's files by restic's own mount, inside a namespace, and returns where. restic checks each blob that is
 * read by its hash. The mount holds the repository's lock, so that nobody prunes what is looked at.
 *
 * @throws CephbackupError RESTIC_FAILED, MOUNT_FAILED
 */
export async function mountSnapshot(
  { exec, startDaemon, resticEnv, scope, signal, log }: LookTools,
  namespace: NamespaceRef,
  { id, cluster, uid }: Pick<Backup, 'id' | 'cluster' | 'uid'>,
): Promise<string> {
  const made = await exec('mkdir', ['--', mountPoint], { namespace, signal, deadlineMs: 30_000 });
  if (made.exitCode !== 0) throw new CephbackupError('MOUNT_FAILED', `mkdir ${mountPoint}: ${made.stderr}`);
  const args = [
    'mount',
    '--retry-lock=2m',
    `--tag=cluster=${cluster},uid=${uid}`,
    '--path-template=%I',
    mountPoint,
  ];
  const daemon = startDaemon(...serverCommand('restic', args), { env: resticEnv, namespace });
  scope.add(null, () => daemon.stop());
  const root = `${mountPoint}/${id}`;
  log.info('opening the repository', { snapshot: id.slice(0, 8) });
  await untilServed({
    daemon,
    namespace,
    isServed: async () => (await stat(pathInside(namespace, root)).catch(() => null)) !== null,
    withinMs: readyWithinMs,
    dead: async () => new CephbackupError('RESTIC_FAILED', `restic mount: ${await daemon.ended}`),
    late: () => new CephbackupError('MOUNT_FAILED', 'restic mount: nothing after 5 min'),
    signal,
  });
  const flags = ['remount', 'bind', 'ro', ...safeMountOptions()].join(',');
  await mountLocally(exec, namespace, ['-o', flags, '--', mountPoint], signal);
  return root;
}
