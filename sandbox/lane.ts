import path from 'node:path';
import { startCeph } from './ceph.js';
import { runJest } from './jest.js';
import type { Owner } from './owner.js';
import { searchPath } from './tools.js';

/**
 * Tests that are no part of `npm test`, one file after the other, with a Ceph of their own. Returns jest's exit code.
 * @param pattern of their files, below the checkout
 */
export async function runLane(
  owner: Owner,
  pattern: string,
  more: Record<string, string> = {},
): Promise<number> {
  const { cluster } = await startCeph({ dir: path.join(owner.folder, 'ceph') });
  const which = ['--testMatch', `<rootDir>/${pattern}`, '--runInBand'];
  return runJest(owner, [...which, ...process.argv.slice(2)], {
    PATH: searchPath(),
    SANDBOX_CEPH: cluster.dir,
    TMPDIR: owner.temporary,
    ...more,
  });
}
