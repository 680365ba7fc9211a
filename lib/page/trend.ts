import { calendarDays, dayMs, firstDay } from './calendar.js';
import type { PageBackup, PageRepository } from './data.js';

/** One value a day, oldest first. */
export interface Trend {
  /** Proven backups. */
  backups: number[];
  /** Bytes that the repository grew by. */
  addedBytes: number[];
  /** Bytes that the newest proven backups of all claims hold. */
  heldBytes: number[];
}

/** What the backups of the last days add up to: a pure function. */
export function trendOf({ backups, gone }: Pick<PageRepository, 'backups' | 'gone'>, nowMs: number): Trend {
  const start = firstDay(nowMs);
  const zeros = () => new Array<number>(calendarDays).fill(0);
  const trend: Trend = { backups: zeros(), addedBytes: zeros(), heldBytes: zeros() };
  const claims = [...backups.values(), ...gone.map((claim) => claim.backups)];
  for (const own of claims) {
    addCounts(trend, own, start);
    addHeld(trend.heldBytes, own, start);
  }
  return trend;
}

function addCounts(trend: Trend, own: readonly PageBackup[], start: number): void {
  for (const { timeMs, proven, addedBytes } of own) {
    const day = Math.floor((timeMs - start) / dayMs);
    if (day < 0 || day >= calendarDays) continue;
    if (proven) trend.backups[day] = (trend.backups[day] ?? 0) + 1;
    trend.addedBytes[day] = (trend.addedBytes[day] ?? 0) + (addedBytes ?? 0);
  }
}

function addHeld(held: number[], own: readonly PageBackup[], start: number): void {
  const proven = own.filter((backup) => backup.proven);
  let next = 0;
  let newest = 0;
  for (let day = 0; day < calendarDays; day += 1) {
    const end = start + (day + 1) * dayMs;
    for (; next < proven.length && (proven[next]?.timeMs ?? Infinity) < end; next += 1) {
      newest = proven[next]?.sizeBytes ?? newest;
    }
    held[day] = (held[day] ?? 0) + newest;
  }
}
