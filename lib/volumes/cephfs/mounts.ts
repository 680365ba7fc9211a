import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import type { Exec, NamespaceRef } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import { mountedAt, mountLocally, safeMountOptions } from '../../tools/node/mount.js';

/** That a mount or umount may take which asks no server. */
const localDeadlineMs = 15_000;

/**
 * Shows a directory of a mount at another place, read-only.
 * @throws CephbackupError MOUNT_FAILED
 */
export async function bindReadOnly(
  exec: Exec,
  namespace: NamespaceRef,
  directory: string,
  at: string,
  signal: AbortSignal,
): Promise<void> {
  await mountLocally(exec, namespace, ['--bind', '--', directory, at], signal);
  // A bind mount gets its flags by a second call in any case; this way it fails where a flag is not known.
  await restrict(exec, namespace, at, 'ro', signal);
}

/** Gives a mount the flags under which nothing of a tenant's filesystem is executed, opened or followed. */
export async function restrict(
  exec: Exec,
  namespace: NamespaceRef,
  at: string,
  access: 'ro' | 'rw',
  signal: AbortSignal,
): Promise<void> {
  const flags = ['remount', 'bind', access, ...safeMountOptions()];
  await mountLocally(exec, namespace, ['-o', flags.join(','), '--', at], signal);
}

/** Unmounts within seconds, or returns why not; null where nothing is mounted any more. */
export async function tryUnmount(
  exec: Exec,
  namespace: NamespaceRef,
  at: string,
  options: readonly string[] = [],
): Promise<string | null> {
  if ((await mountedAt(namespace, at)) === null) return null;
  try {
    // Without looking at the path: what hangs would hang this, too.
    const args = ['--no-canonicalize', ...options, '--', at];
    const result = await exec('umount', args, { namespace, deadlineMs: localDeadlineMs, killGraceMs: 1_000 });
    if (result.exitCode === 0 || (await mountedAt(namespace, at)) === null) return null;
    return lastLine(result.stderr);
  } catch (thrown) {
    return asCephbackupError(thrown).message;
  }
}

/**
 * Unmounts, also what hangs: `abandon` ends who serves it, then it is taken out of the tree. Returns why that was needed;
 * null where it was not.
 *
 * @param remains whether who still uses the mount keeps it alive even so, so that what lies below must stay
 * @throws CephbackupError COMMAND_FAILED
 */
export async function unmountOrAbandon(
  exec: Exec,
  namespace: NamespaceRef,
  at: string,
  abandon: () => Promise<void>,
  remains = false,
): Promise<string | null> {
  const problem = await tryUnmount(exec, namespace, at);
  if (problem === null) return null;
  await abandon();
  const stillUsed = remains && (await tryUnmount(exec, namespace, at)) !== null;
  const left = await tryUnmount(exec, namespace, at, ['--lazy']);
  if (stillUsed || left !== null)
    throw new CephbackupError(
      'COMMAND_FAILED',
      `umount of ${at}: ${stillUsed ? problem : (left ?? problem)}`,
    );
  return problem;
}
