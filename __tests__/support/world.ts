import { expect } from '@jest/globals';
import { observeWorld, worldChanges, type World, type WorldScope } from '../../sandbox/world.js';

export { observeWorld };

/**
 * Fails unless Ceph and this node are as they were: no snapshot (nor hidden ones), clone, trashed image, watcher, mount,
 * loop device, mapping, process or temporary file more or less.
 *
 * @param patience milliseconds; a dead client's watch lasts for 30 s, everything else goes at once
 */
export async function expectCleanWorld(before: World, scope: WorldScope, patience = 5_000): Promise<void> {
  const end = performance.now() + patience;
  let changes = worldChanges(before, await observeWorld(scope));
  while (changes.length > 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    changes = worldChanges(before, await observeWorld(scope));
  }
  expect(changes).toEqual([]);
}
