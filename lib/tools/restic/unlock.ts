import { readLocks, type LockFile } from './lock-files.js';
import { deadAfterMs } from './locks.js';
import { repositoryError } from './errors.js';
import type { Restic } from './restic.js';
import type { Options } from './prune.js';

/**
 * Removes the locks that have shown no sign of life for 30 minutes. `restic unlock` would also remove any lock of this
 * host name whose process it does not see; so nothing is done while there is one of this name, whoever holds it.
 *
 * @returns what is to be told, or nothing
 * @throws CephbackupError REPOSITORY_…
 */
export async function unlockStale(
  restic: Restic,
  { host, now }: { host: string; now: number },
  options: Options,
): Promise<string | null> {
  const decision = decideUnlock((await readLocks(restic, options)).locks, host, now);
  if (!decision.unlock) return decision.because;
  const result = await restic.limited(['unlock'], options);
  if (result.exitCode !== 0) throw repositoryError('restic unlock', result);
  return decision.because;
}

export function decideUnlock(
  locks: readonly Pick<LockFile, 'host' | 'time'>[],
  host: string,
  now: number,
): { unlock: boolean; because: string | null } {
  const dead = locks.filter(({ time }) => now - time > deadAfterMs);
  if (dead.length === 0) return { unlock: false, because: null };
  if (locks.some((lock) => lock.host === host && now - lock.time <= deadAfterMs)) {
    return { unlock: false, because: `stale locks stay: somebody else may have the host name ${host}, too` };
  }
  const hosts = [...new Set(dead.map((lock) => lock.host))].join(', ');
  return { unlock: true, because: `removed ${dead.length} stale locks, of ${hosts}` };
}
