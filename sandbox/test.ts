import path from 'node:path';
import { startCeph } from './ceph.js';
import { startCephElsewhere } from './ceph/elsewhere.js';
import { runJest } from './jest.js';
import { own } from './owner.js';
import { searchPath } from './tools.js';
import { hasGuest } from './vm/guest.js';

/**
 * `npm test [-- ARGUMENTS FOR JEST]`: all tests share one Ceph, which is started here and ends with this process. With
 * SANDBOX_CLUSTER it is another Debian's (sandbox/ceph/elsewhere.ts).
 */
await own(async (owner) => {
  const dir = path.join(owner.folder, 'ceph');
  const { SANDBOX_CLUSTER: elsewhere = '' } = process.env;
  const { cluster } = await (elsewhere === '' ? startCeph({ dir }) : startCephElsewhere(elsewhere, dir));
  // A virtual machine serves one test file at a time.
  const workers = `--maxWorkers=${hasGuest() ? 1 : 2}`;
  return runJest(owner, [workers, ...process.argv.slice(2)], {
    PATH: searchPath(),
    SANDBOX_CEPH: cluster.dir,
    TMPDIR: owner.temporary,
  });
});
