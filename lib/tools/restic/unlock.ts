import type { EpochMs } from '../../log/time.js';
import { asObject, parseJson, stringField } from '../process/json.js';
import { repositoryError, type Restic } from './restic.js';
import type { Options } from './prune.js';

/** A lock as `restic cat lock` prints it; only what this program uses. */
export interface LockFile {
  host: string;
  /** : its last sign of life. */
  time: EpochMs;
}

/** After so long restic takes a lock for a dead one [restic internal/restic/lock.go]. Milliseconds. */
const deadAfter = 30 * 60_000;

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
  const decision = decideUnlock(await readLocks(restic, options), host, now);
  if (!decision.unlock) return decision.because;
  const result = await restic.limited(['unlock'], options);
  if (result.exitCode !== 0) throw repositoryError('restic unlock', result);
  return decision.because;
}

export function decideUnlock(
  locks: readonly LockFile[],
  host: string,
  now: number,
): { unlock: boolean; because: string | null } {
  const dead = locks.filter(({ time }) => now - time > deadAfter);
  if (dead.length === 0) return { unlock: false, because: null };
  if (locks.some((lock) => lock.host === host && now - lock.time <= deadAfter)) {
    return { unlock: false, because: `stale locks stay: somebody else may have the host name ${host}, too` };
  }
  const hosts = [...new Set(dead.map((lock) => lock.host))].join(', ');
  return { unlock: true, because: `removed ${dead.length} stale locks, of ${hosts}` };
}

async function readLocks(restic: Restic, options: Options): Promise<LockFile[]> {
  const list = await restic.limited(['list', 'locks', '--no-lock', '--quiet'], options);
  if (list.exitCode !== 0) throw repositoryError('restic list locks', list);
  const ids = list.stdout.split('\n').filter((line) => /^[0-9a-f]{64}$/.test(line));
  const locks: LockFile[] = [];
  for (const id of ids) {
    const what = `restic cat lock ${id.slice(0, 8)}`;
    const result = await restic.limited(['cat', 'lock', '--no-lock', id], options);
    // It has been released, or renewed under another name, meanwhile.
    if (result.exitCode !== 0) continue;
    const lock = asObject(parseJson(result.stdout, what), what);
    const time = Date.parse(stringField(lock, 'time', what));
    locks.push({ host: stringField(lock, 'hostname', what), time });
  }
  return locks;
}
