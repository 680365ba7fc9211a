import { expect, test } from '@jest/globals';
import { cephError } from '../../lib/tools/ceph/connection.js';

test.each([
  [1, 'rbd: error opening image disk: (1) Operation not permitted', 'CEPH_FORBIDDEN'],
  [1, 'Error EPERM: access denied', 'CEPH_FORBIDDEN'],
  [13, 'Error EACCES: access denied', 'CEPH_FORBIDDEN'],
  // What an older rbd does not know is no lack of rights.
  [1, "\nrbd: unrecognised option '--nonsense'\n", 'SNAPSHOT_FAILED'],
  [2, 'rbd: error opening image disk: (2) No such file or directory', 'IMAGE_NOT_FOUND'],
  [28, 'rbd: failed to create snapshot: (28) No space left on device', 'POOL_FULL'],
  [30, 'rbd: failed to create snapshot: (30) Read-only file system', 'IMAGE_NOT_PRIMARY'],
  [1, "rbd: couldn't connect to the cluster!", 'CEPH_UNREACHABLE'],
  [22, 'rbd: failed to create snapshot: (22) Invalid argument', 'SNAPSHOT_FAILED'],
])('exit code %i with %j is %s', (exitCode, stderr, code) => {
  const error = cephError('SNAPSHOT_FAILED', 'snapshot of rbd/disk', {
    exitCode,
    stderr,
    stdout: '',
    seconds: 0,
  });
  expect(error.code).toBe(code);
  expect(error.message).toBe(`snapshot of rbd/disk: ${stderr.trim()} (exit code ${exitCode})`);
});
