import type { ResticSnapshot } from '../tools/restic/restic.js';
import { tagValue } from './tags.js';

/** What the repository holds of one cluster, by the UID of the claim. */
export class History {
  readonly #byUid = new Map<string, ResticSnapshot[]>();

  constructor(snapshots: readonly ResticSnapshot[]) {
    for (const snapshot of snapshots) {
      const uid = tagValue(snapshot.tags, 'uid');
      if (uid !== null) this.#byUid.set(uid, [...(this.#byUid.get(uid) ?? []), snapshot]);
    }
  }

  /** Milliseconds since the epoch of the claim's newest snapshot, proven or not. */
  newestTime(uid: string): number | null {
    const times = (this.#byUid.get(uid) ?? []).map(({ time }) => Date.parse(time));
    return times.length === 0 ? null : Math.max(...times);
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
 * where the clock was set back, so that the order of snapshots is the order of backups.
 */
export function pointInTime(now: number, newest: number | null): { time: number; adjusted: boolean } {
  const time = Math.floor(now / 1000) * 1000;
  if (newest === null || time > newest) return { time, adjusted: false };
  return { time: Math.floor(newest / 1000) * 1000 + 1000, adjusted: true };
}
