import path from 'node:path';
import { startCeph } from './ceph.js';
import { runJest } from './jest.js';
import { own } from './owner.js';
import { searchPath } from './tools.js';

/** `npm run test:recipes [-- ARGUMENTS FOR JEST]`: the recipes of docs/consistency.md, on the databases themselves. */
await own(async (owner) => {
  const { cluster } = await startCeph({ dir: path.join(owner.folder, 'ceph') });
  const which = ['--testMatch', '<rootDir>/__tests__/recipes/**/*.recipe.ts', '--runInBand'];
  return runJest(owner, [...which, ...process.argv.slice(2)], {
    PATH: searchPath(),
    SANDBOX_CEPH: cluster.dir,
    TMPDIR: owner.temporary,
  });
});
