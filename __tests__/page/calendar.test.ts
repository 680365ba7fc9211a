import { expect, test } from '@jest/globals';
import { calendarOf, calendarText, dayMs, firstDay, runsOf } from '../../lib/page/calendar.js';

const nowMs = Date.parse('2026-03-18T07:30:00Z');
const at = (daysAgo: number, proven = true) => ({ timeMs: nowMs - daysAgo * dayMs, proven });
const calendar = (backups: ReturnType<typeof at>[], more: { createdMs?: number; failedMs?: number } = {}) =>
  calendarOf({ backups, createdMs: more.createdMs ?? null, failedMs: more.failedMs ?? null, nowMs });

test('a day is one of UTC: the first and the last second of it belong to it, and no other', () => {
  const first = firstDay(nowMs);
  const { marks } = calendar([
    { timeMs: first - 1, proven: true },
    { timeMs: first, proven: true },
    { timeMs: first + dayMs - 1, proven: true },
    { timeMs: Date.parse('2026-03-18T00:00:00Z'), proven: true },
  ]);
  expect(marks[0]).toBe('several');
  expect(marks[1]).toBe('none');
  expect(marks[89]).toBe('backup');
  expect(marks).toHaveLength(90);
});

test('what is unproven is no backup, also beside one', () => {
  const { marks } = calendar([at(0), at(0, false), at(1, false), at(1, false)]);
  expect(marks.slice(-2)).toEqual(['unproven', 'backup']);
});

test('before a claim existed nothing was missing', () => {
  const { marks } = calendar([at(1)], { createdMs: nowMs - 2 * dayMs });
  expect(marks.slice(-4)).toEqual(['absent', 'none', 'backup', 'none']);
});

test('a backup that is older than the claim’s creation is shown all the same', () => {
  expect(calendar([at(5)], { createdMs: nowMs }).marks[84]).toBe('backup');
});

test('a failure is known for the day of the last attempt', () => {
  expect(calendar([], { failedMs: nowMs - 3 * dayMs }).failed).toBe(86);
  expect(calendar([], { failedMs: nowMs - 300 * dayMs }).failed).toBeNull();
  expect(calendar([], { failedMs: nowMs + 2 * dayMs }).failed).toBeNull();
});

test('runs are the days with a mark, and all of them', () => {
  const { marks } = calendar([at(0), at(1), at(5)]);
  expect(runsOf(marks, 'backup')).toEqual([
    { start: 84, length: 1 },
    { start: 88, length: 2 },
  ]);
});

test('in words: how many days, and the last one without', () => {
  expect(calendarText(calendar([at(0), at(2), at(2)], { createdMs: nowMs - 3 * dayMs }), nowMs)).toBe(
    'backups on 2 of 4 days, last day without: 2026-03-17',
  );
  expect(calendarText(calendar([at(0)], { createdMs: nowMs }), nowMs)).toBe('backups on 1 of 1 days');
});
