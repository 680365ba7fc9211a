import { expect, test } from '@jest/globals';
import { Pace } from '../../lib/waiting/pace.js';

const never = new AbortController().signal;

test('turns keep their distance, whoever asks by one name has one, and nobody waits where there is none', async () => {
  const pace = new Pace(200);
  const began = performance.now();
  const after = async (name: string) => {
    await pace.turn(name, never);
    return performance.now() - began;
  };
  const [first, second, again, third] = await Promise.all(['a', 'b', 'a', 'c'].map(after));
  // Timers may be early by a millisecond.
  expect(second).toBeGreaterThanOrEqual(198);
  expect(third).toBeGreaterThanOrEqual(398);
  expect(first).toBeLessThanOrEqual(second ?? 0);
  expect(again).toBeLessThanOrEqual(third ?? 0);
  const none = new Pace(0);
  await Promise.all(['a', 'b'].map((name) => none.turn(name, AbortSignal.abort())));
});

test('whoever is told to end does not wait for a turn', async () => {
  const pace = new Pace(3_600_000);
  await pace.turn('a', never);
  await expect(pace.turn('b', AbortSignal.abort(new Error('ended')))).rejects.toThrow('ended');
});
