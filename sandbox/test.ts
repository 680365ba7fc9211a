import path from 'node:path';
import { startCeph } from './ceph.js';
import { runJest } from './jest.js';
import { own } from './owner.js';
import { searchPath } from './tools.js';
import { hasGuest } from './vm/guest.js';

/** `npm test [-- ARGUMENTS FOR JEST]`: all tests share one Ceph, which is started here and ends with this process. */
await own(async (owner) => {
  const { cluster } = await startCeph({ dir: path.join(owner.folder, 'ceph') });
  // A virtual machine serves one test file at a time.
  const workers = `--maxWorkers=${hasGuest() ? 1 : 2}`;
  return runJest(owner, [workers, ...process.argv.slice(2)], {
    PATH: searchPath(),
    SANDBOX_CEPH: cluster.dir,
    TMPDIR: owner.temporary,
  });
});
