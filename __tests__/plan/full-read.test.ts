import { expect, test } from '@jest/globals';
import { filesAreDue, momentBetween, type FullReadQuestion } from '../../lib/plan/full-read.js';

const day = 24 * 60 * 60 * 1000;
const everyMs = 28 * day;
const start = Date.parse('2026-01-01T01:00:00Z');
const nights = Array.from({ length: 57 }, (_, index) => start + index * day);

/** The first night after `start` on which a claim's moment has passed. */
function firstMoment(uid: string): number {
  return nights.findIndex((night) => momentBetween(uid, night - day, night, everyMs));
}

test('each claim is due once in 28 days, and the days of many differ', () => {
  const days = new Set<number>();
  for (let claim = 0; claim < 100; claim++) {
    const uid = `claim-${claim}`;
    const due = nights.filter((night) =>
      filesAreDue({ uid, backedUp: night - day, attempted: night - day, now: night, everyMs }),
    );
    expect(due.length).toBeGreaterThanOrEqual(2);
    expect(due.length).toBeLessThanOrEqual(3);
    days.add(firstMoment(uid));
  }
  expect(days.size).toBeGreaterThan(20);
});

test('a full read that failed is tried again at the next moment, and not each night', () => {
  const uid = 'too-large';
  const backedUp = nights[firstMoment(uid) - 1] ?? 0;
  const now = backedUp + day;
  const ask = (question: Partial<FullReadQuestion>) =>
    filesAreDue({ uid, backedUp, attempted: backedUp, now, everyMs, ...question });
  expect(ask({})).toBe(true);
  // The night after one that failed goes on from the previous backup.
  expect(ask({ attempted: now, now: now + day })).toBe(false);
  expect(ask({ attempted: now + 27 * day, now: now + 28 * day })).toBe(true);
  // Whoever was away for long is due, and so is one whose attempts nobody knows.
  expect(ask({ now: now + 100 * day, attempted: null })).toBe(true);
  expect(ask({ backedUp: null })).toBe(false);
  expect(ask({ everyMs: 0, now: now + 1000 * day })).toBe(false);
});
