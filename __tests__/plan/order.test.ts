import { expect, test } from '@jest/globals';
import { inTurn, turnTaken } from '../../lib/plan/order.js';
import type { PlannedVolume } from '../../lib/plan/types.js';

const volume = (pvc: string, lastBackup: string | null) => ({ pvc, lastBackup }) as unknown as PlannedVolume;
const day = (date: number) => Date.parse(`2026-01-0${date}T00:00:00Z`);

test('a volume that ran out of time in the last run waits until those have had their turn who have waited longer', () => {
  const listed = [
    volume('endless', null),
    volume('new', null),
    volume('failing', '2026-01-01T00:00:00Z'),
    volume('old', '2026-01-02T00:00:00Z'),
    volume('recent', '2026-01-04T00:00:00Z'),
  ];
  const failed = new Map([
    ['endless', day(3)],
    ['failing', day(5)],
  ]);
  const order = inTurn(listed, ({ pvc }) => failed.get(pvc) ?? null);
  expect(order.map(({ pvc }) => pvc)).toEqual(['new', 'old', 'endless', 'recent', 'failing']);
});

test('without failures it is as listed', () => {
  const listed = [volume('b', null), volume('a', null), volume('c', '2026-01-01T00:00:00Z')];
  expect(inTurn(listed, () => null)).toEqual(listed);
});

test.each([
  ['VOLUME_TIMEOUT', day(3)],
  ['CANCELLED', day(3)],
  ['FILESYSTEM_MISMATCH', null],
  ['READ_INCOMPLETE', null],
  [null, null],
])('after an attempt that ended with %s, the volume had its turn at %s', (lastError, turn) => {
  expect(turnTaken({ lastError, lastAttempt: day(3) })).toBe(turn);
});
