import { CephbackupError } from '../../errors/error.js';
import { findBelow } from '../../tools/node/find.js';
import type { CommandOptions, Exec, NamespaceRef } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import { unlimitedMs } from '../../waiting/deadline.js';

/**
 * For so long before a snapshot, in milliseconds, a file that was changed is hot: its new times may be in the snapshot, and
 * its new data not yet. docs/formats.md says what it is made of.
 */
export const hotWindowMs = 3_600_000;

/**
 * Makes restic read the hot files again in the next run. restic takes from the previous backup what has the same times
 * there; so each hot file gets another ctime here, on the throwaway clone, before restic reads it. What the next snapshot has is
 * then never the same. `touch -a` changes the time of last access, which restic does not keep, and with it the ctime.
 *
 * @param directory where the clone is mounted for writing
 * @param since what was changed later is hot
 * @returns how many files were hot
 * @throws CephbackupError FILESYSTEM_CORRUPT where a hot file cannot be changed
 */
export async function markHotFiles(
  exec: Exec,
  directory: string,
  since: number,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<number> {
  // A walk of everything: only the volume's deadline ends it.
  const unlimited = { deadlineMs: unlimitedMs, ...options };
  const hot = ['-type', 'f', '-newerct', `@${Math.floor(since / 1000)}`];
  const touch = ['-exec', 'touch', '-a', '-c', '--', '{}', '+'];
  const first = await findBelow(exec, { directory }, [...hot, '-printf', 'x', ...touch], unlimited);
  if (first.exitCode === 0) return first.stdout.length;
  // Of immutable and append-only files not even root can change the times.
  const freed = ['-exec', 'chattr', '-f', '-i', '-a', '{}', '+'];
  await findBelow(exec, { directory }, [...hot, ...freed], unlimited);
  const second = await findBelow(exec, { directory }, [...hot, '-printf', 'x', ...touch], unlimited);
  if (second.exitCode === 0) return second.stdout.length;
  throw new CephbackupError(
    'FILESYSTEM_CORRUPT',
    `files that were changed just before the snapshot cannot be marked on the clone: ${lastLine(second.stderr)}`,
  );
}
