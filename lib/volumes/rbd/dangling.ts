import { CephbackupError } from '../../errors/error.js';
import { findBelow } from '../../tools/node/find.js';
import type { Exec, NamespaceRef } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import { unlimitedMs } from '../../waiting/deadline.js';

/**
 * Looks up every entry of a mounted filesystem. XFS says of a name whose inode is free that there is no such file; restic, from 0.18
 * on, takes that for a file which was removed while it read, and passes over it without a word. In a snapshot nothing is removed.
 *
 * @throws CephbackupError FILESYSTEM_CORRUPT
 */
export async function refuseDangling(
  exec: Exec,
  directory: string,
  options: { namespace: NamespaceRef; signal: AbortSignal },
): Promise<void> {
  // True of no entry, and not known without a look at its inode.
  const none = ['-links', '0', '-printf', 'x'];
  const found = await findBelow(exec, { directory }, none, { deadlineMs: unlimitedMs, ...options });
  if (found.exitCode === 0) return;
  const message = `files of the clone cannot be looked up: ${lastLine(found.stderr)}`;
  throw new CephbackupError('FILESYSTEM_CORRUPT', message);
}
