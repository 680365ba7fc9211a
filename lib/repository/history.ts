import { CephbackupError } from '../errors/error.js';
import { rfc3339, type EpochMs } from '../log/time.js';
import { clockToleranceMs } from '../plan/last-backup.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';
import { tagValue } from './tags.js';

/** What the repository holds of one cluster, by the UID of the claim. */
export class History {
  readonly #byUid = new Map<string, ResticSnapshot[]>();

  constructor(snapshots: readonly ResticSnapshot[]) {
    for (const snapshot of snapshots) {
      const uid = tagValue(snapshot.tags, 'uid');
      if (uid === null) continue;
      const known = this.#byUid.get(uid);
      if (known === undefined) this.#byUid.set(uid, [snapshot]);
      else known.push(snapshot);
    }
  }

  /** The claim's newest snapshot, proven or not; its time. */
  newest(uid: string): { id: string; time: EpochMs } | null {
    let newest: { id: string; time: number } | null = null;
    for (const { id, time } of this.#byUid.get(uid) ?? []) {
      const at = Date.parse(time);
      if (newest === null || at > newest.time) newest = { id, time: at };
    }
    return newest;
  }

  /**
   * The snapshot that may serve as parent: the one marked on the claim's PersistentVolume, and no other. A newer
   * unmarked one may be partial, which nothing in the repository tells.
   */
  proven(uid: string, marked: string | null): ResticSnapshot | null {
    return this.#byUid.get(uid)?.find(({ id }) => id === marked) ?? null;
  }
}

/**
 * A backup's point in time in milliseconds, whole seconds: `now`, or one second after the claim's newest snapshot
 * where the clock was set back a little, so that the order of snapshots is the order of backups.
 *
 * @throws CephbackupError SNAPSHOT_IN_FUTURE where a whole day's, or year's, backups would follow one of a wrong clock
 */
export function pointInTime(
  now: number,
  newest: { id: string; time: number } | null,
): { time: number; adjusted: boolean } {
  const time = Math.floor(now / 1000) * 1000;
  if (newest === null || time > newest.time) return { time, adjusted: false };
  if (newest.time > now + clockToleranceMs) {
    const message = `the newest snapshot of the claim, ${newest.id}, is of ${rfc3339(newest.time)}, and it is ${rfc3339(now)}`;
    throw new CephbackupError('SNAPSHOT_IN_FUTURE', message);
  }
  return { time: Math.floor(newest.time / 1000) * 1000 + 1000, adjusted: true };
}
