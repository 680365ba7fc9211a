import type { EpochMs } from '../log/time.js';
import type { Annotations } from './annotations.js';

/** Clocks differ, but not by more than this. */
export const clockToleranceMs = 3_600_000;

const rfc3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * The time of the last backup of this very claim, in milliseconds, or null: a volume that was kept and bound to a new
 * claim does not hand on the old one's. A time that cannot be true counts as never, so that the claim is backed up.
 */
export function lastBackup(annotations: Annotations, uid: string, now: Date): number | null {
  const value = annotations.get('last-backup');
  if (value === undefined) return null;
  const owner = annotations.get('last-backup-claim');
  if (owner !== undefined && owner !== uid) return null;
  const time = typeof value === 'string' ? parseTime(value.trim()) : null;
  if (time === null) {
    annotations.odd('last-backup', 'is no time as in RFC 3339');
    return null;
  }
  if (time > now.getTime() + clockToleranceMs) {
    annotations.odd('last-backup', 'is in the future');
    return null;
  }
  return time;
}

/** RFC 3339 (section 5.6) in UTC, without fractions where there are none. */
export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000Z', 'Z');
}

/** Null where it is none. Stricter than `Date.parse`, which takes 30 February for 1 March. */
export function parseTime(value: string): EpochMs | null {
  const match = rfc3339.exec(value);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const valid =
    day >= 1 && new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day && month >= 1 && month <= 12;
  if (!valid || hour > 23 || minute > 59 || second > 59) return null;
  const time = Date.parse(value.toUpperCase().replace(' ', 'T'));
  return Number.isNaN(time) ? null : time;
}
