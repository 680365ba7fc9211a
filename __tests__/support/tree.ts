import { expect } from '@jest/globals';
import { differences, type CompareOptions } from '../../sandbox/tree/compare.js';
import { describeTree } from '../../sandbox/tree/describe.js';

export { describeTree, differences };
export { hostileNames, makeHostileTree } from '../../sandbox/tree/hostile.js';

/** Fails unless the two folders are equal in every respect but their root directories and access times. */
export async function expectSameTree(
  expected: string,
  actual: string,
  options: CompareOptions = {},
): Promise<void> {
  const before = await describeTree(expected);
  expect(before.size).toBeGreaterThan(0);
  expect(differences(before, await describeTree(actual), options)).toEqual([]);
}
