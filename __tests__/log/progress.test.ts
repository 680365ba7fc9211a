import { expect, test } from '@jest/globals';
import { Activity, formatSeconds } from '../../lib/log/progress/activity.js';

const MiB = 1024 * 1024;

/** An activity and its clock, in seconds. */
function activity(name: string) {
  const clock = { seconds: 0 };
  return {
    clock,
    it: new Activity(
      name,
      () => undefined,
      () => clock.seconds * 1000,
    ),
  };
}

test('a step with a known size says how much of how much, how fast, and how long still', () => {
  const { clock, it } = activity('shop/db');
  it.step('writing rbd/db', 100 * MiB);
  it.moved(10 * MiB);
  // In its first seconds a rate would say nothing.
  expect(it.line()).toBe('shop/db  writing rbd/db (0 s)  10Mi of 100Mi');
  clock.seconds = 4;
  it.moved(10 * MiB);
  expect(it.line()).toBe('shop/db  writing rbd/db (4 s)  20Mi of 100Mi, 5Mi/s, 16 s left');
  expect(it.fields()).toEqual({
    seconds: 4,
    bytes: 20 * MiB,
    totalBytes: 100 * MiB,
    bytesPerSecond: 5 * MiB,
    secondsLeft: 16,
  });
});

test('what is not known is left out, and what was moved beyond an estimate leaves no time', () => {
  const { clock, it } = activity('');
  it.step('pruning');
  clock.seconds = 90;
  expect(it.line()).toBe('pruning (1 min 30 s)');
  expect(it.fields()).toEqual({ seconds: 90 });
  it.step('reading', 10 * MiB);
  clock.seconds = 100;
  it.reached({ bytes: 20 * MiB, files: 7 });
  expect(it.line()).toBe('reading (10 s)  7 files, 20Mi of 10Mi, 2Mi/s');
});

test('each step begins anew', () => {
  const { clock, it } = activity('a/b');
  it.step('writing', 5);
  clock.seconds = 10;
  it.moved(5);
  it.step('reading back');
  expect(it.line()).toBe('a/b  reading back (0 s)');
});

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [60, '1 min'],
  [200, '3 min 20 s'],
  [3600, '1 h'],
  [7500, '2 h 5 min'],
])('%d seconds are written as %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
