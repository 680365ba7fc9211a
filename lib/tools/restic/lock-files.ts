import type { EpochMs } from '../../log/time.js';
import type { CommandOptions } from '../process/exec.js';
import { asObject, numberField, parseJson, stringField } from '../process/json.js';
import { listIds } from './ids.js';
import type { Restic } from './restic.js';

/** Somebody's lock, as `restic cat lock` prints it; only what this program uses. */
export interface LockFile {
  host: string;
  pid: number;
  exclusive: boolean;
  /** Its last sign of life: restic renews it every 5 minutes. */
  time: EpochMs;
}

/**
 * The locks of the repository, and how many there are; takes none itself.
 *
 * @param most how many are read at most: asking for each takes a second
 * @throws CephbackupError REPOSITORY_…
 */
export async function readLocks(
  restic: Restic,
  {
    most = Infinity,
    noCache = false,
    ...options
  }: Partial<CommandOptions> & { most?: number; noCache?: boolean },
): Promise<{ count: number; locks: LockFile[] }> {
  const ids = await listIds(restic, 'locks', { noCache, ...options });
  const locks: LockFile[] = [];
  for (const id of ids.slice(0, most)) {
    const what = `restic cat lock ${id.slice(0, 8)}`;
    const args = ['cat', 'lock', '--no-lock', ...(noCache ? ['--no-cache'] : []), id];
    const result = await restic.limited(args, options);
    // It has been released, or renewed under another name, meanwhile.
    if (result.exitCode !== 0) continue;
    const lock = asObject(parseJson(result.stdout, what), what);
    locks.push({
      host: stringField(lock, 'hostname', what),
      pid: numberField(lock, 'pid', what),
      exclusive: lock.exclusive === true,
      time: Date.parse(stringField(lock, 'time', what)),
    });
  }
  return { count: ids.length, locks };
}
