import { expect, test } from '@jest/globals';
import { nearestFirst } from '../../lib/repository/saved-manifests.js';

test('the manifests of the run that made a backup come first, also where runs follow each other at once', () => {
  const saved = [0, 8_000, 10_000, 11_000, 90_000].map((time) => ({ id: `at-${time}`, time, cluster: 'c' }));
  const order = (time: number) => nearestFirst(saved, time).map((one) => one.time);
  // Saved at 8 s, and once more at 10 s for an image that was resized; the next run began a second later.
  expect(order(10_000)).toEqual([10_000, 8_000, 0, 11_000, 90_000]);
  // A run that saved none: those before tell more than those after.
  expect(order(80_000)).toEqual([11_000, 10_000, 8_000, 0, 90_000]);
  expect(order(-5_000)).toEqual([0, 8_000, 10_000, 11_000, 90_000]);
});
