import { expect, test } from '@jest/globals';
import { blobsIn, costOfIndex } from '../../lib/commands/doctor/checks/blob-cost.js';

const MB = 1e6;

test.each([
  ['nothing is cached: as many as the files can hold', { files: 20, cached: null, version: 2 }, 1_000_000],
  ['an empty cache', { files: 20, cached: { files: 0, bytes: 0 }, version: 2 }, 1_000_000],
  ['all is cached', { files: 20, cached: { files: 20, bytes: 26 * MB }, version: 2 }, 500_000],
  ['half of it', { files: 20, cached: { files: 10, bytes: 13 * MB }, version: 2 }, 500_000],
  ['not compressed', { files: 20, cached: { files: 20, bytes: 75 * MB }, version: 1 }, 500_000],
  [
    'never more than the files can hold',
    { files: 1, cached: { files: 1, bytes: 9 * MB }, version: 2 },
    50_000,
  ],
])('blobs by the index files: %s', (_, index, expected) => {
  expect(blobsIn(index)).toBe(expected);
});

test('memory and time grow with the blobs', () => {
  const [none, some, many] = [0, 1e6, 2e6].map(costOfIndex);
  expect((many?.bytes ?? 0) - (some?.bytes ?? 0)).toBe((some?.bytes ?? 0) - (none?.bytes ?? 0));
  expect(some?.bytes).toBeGreaterThan(none?.bytes ?? Infinity);
  expect(some?.processorSeconds).toBeGreaterThan(none?.processorSeconds ?? Infinity);
});
