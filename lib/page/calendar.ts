import type { PageBackup } from './data.js';

export const dayMs = 86_400_000;
/** How many days a calendar shows, the last one being today (UTC). */
export const calendarDays = 90;

/** What is known of one day of one claim. `absent`: the claim did not exist yet. */
export type DayMark = 'backup' | 'several' | 'unproven' | 'none' | 'absent';

export interface Calendar {
  /** Oldest first, `calendarDays` of them. */
  marks: DayMark[];
  /** Index of the day on which the last attempt failed; null where none did. */
  failed: number | null;
}

export interface CalendarInput {
  backups: readonly Pick<PageBackup, 'timeMs' | 'proven'>[];
  createdMs: number | null;
  /** When the last attempt failed. */
  failedMs: number | null;
  nowMs: number;
}

/** The first moment of the calendar's first day. */
export function firstDay(nowMs: number): number {
  return (Math.floor(nowMs / dayMs) - calendarDays + 1) * dayMs;
}

/** The days of one claim: a pure function. */
export function calendarOf({ backups, createdMs, failedMs, nowMs }: CalendarInput): Calendar {
  const start = firstDay(nowMs);
  const indexOf = (timeMs: number) => Math.floor((timeMs - start) / dayMs);
  const proven = new Array<number>(calendarDays).fill(0);
  const unproven = new Array<number>(calendarDays).fill(0);
  for (const backup of backups) {
    const counts = backup.proven ? proven : unproven;
    const day = indexOf(backup.timeMs);
    if (day >= 0 && day < calendarDays) counts[day] = (counts[day] ?? 0) + 1;
  }
  const created = createdMs === null ? 0 : indexOf(createdMs);
  const marks = proven.map((count, day): DayMark => {
    if (count > 1) return 'several';
    if (count === 1) return 'backup';
    if ((unproven[day] ?? 0) > 0) return 'unproven';
    return day < created ? 'absent' : 'none';
  });
  const failed = failedMs === null ? -1 : indexOf(failedMs);
  return { marks, failed: failed >= 0 && failed < calendarDays ? failed : null };
}

/** The days with one mark, as runs. */
export function runsOf(marks: readonly DayMark[], wanted: DayMark): { start: number; length: number }[] {
  const runs: { start: number; length: number }[] = [];
  marks.forEach((mark, day) => {
    if (mark !== wanted) return;
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.length === day) last.length += 1;
    else runs.push({ start: day, length: 1 });
  });
  return runs;
}

/** The calendar in words, for whoever does not see it. */
export function calendarText({ marks, failed }: Calendar, nowMs: number): string {
  const count = (...wanted: DayMark[]) => marks.filter((mark) => wanted.includes(mark)).length;
  const backed = count('backup', 'several');
  const none = count('none');
  const gap = marks.findLastIndex((mark) => mark === 'none' || mark === 'unproven');
  const parts = [`backups on ${backed} of ${calendarDays - count('absent')} days`];
  if (count('unproven') > 0) parts.push(`${count('unproven')} unproven`);
  if (none > 0) parts.push(`last day without: ${dayName(nowMs, gap)}`);
  if (failed !== null) parts.push(`failed on ${dayName(nowMs, failed)}`);
  return parts.join(', ');
}

/** `2026-01-31` */
export function dayName(nowMs: number, index: number): string {
  return new Date(firstDay(nowMs) + index * dayMs).toISOString().slice(0, 10);
}
