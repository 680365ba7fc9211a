import { expect, test } from '@jest/globals';
import { mountError } from '../../lib/volumes/cephfs/mount-error.js';

const subvolume = { fs: 'cephfs', root: '/volumes/csi/csi-vol-1' };
const starting = 'ceph-fuse[7]: starting ceph client\n';
const rejected =
  "2026-11-25T13:44:28.204+0000 7fe5977fe6c0 -1 client.4195 mds.0 rejected us (non-allowable root '/v')\n";

test.each([
  ['ceph-fuse', `${starting}ceph-fuse[7]: ceph mount failed with (1) Operation not permitted\n`],
  [
    'ceph-fuse, and another thread behind',
    `ceph-fuse[7]: ceph mount failed with (1) Operation not permitted\n${rejected}`,
  ],
  [
    'ceph-fuse, and another thread between',
    `ceph-fuse[7]: ceph mount failed with ${rejected}(1) Operation not permitted\n`,
  ],
  [
    'ceph-fuse, and another thread within a line',
    `ceph mount failed with (1) Operation not permitted${rejected}\n`,
  ],
  ['mount.ceph', 'mount error 13 = Permission denied\n'],
])('a client without the right to mount: %s', (_name, stderr) => {
  const error = mountError(subvolume, stderr);
  expect(error.code).toBe('CEPH_FORBIDDEN');
  expect(error.message).toMatch(/^mount of \/volumes\/csi\/csi-vol-1 of the filesystem cephfs: .*(1\)|13)/);
});

test.each([
  ['SUBVOLUME_NOT_FOUND', 'ceph mount failed with (2) No such file or directory\n'],
  ['CEPHFS_UNAVAILABLE', 'mount error 110 = Connection timed out\n'],
  ['CEPH_UNREACHABLE', 'failed to fetch mon config (--no-mon-config to skip)\n'],
  ['CEPHFS_UNAVAILABLE', 'mount error: no mds server is up or the cluster is laggy\n'],
  [
    'CEPHFS_UNAVAILABLE',
    'mount error: no mds (Metadata Server) is up. The cluster might be laggy, or you may not be authorized\n',
  ],
  ['MOUNT_FAILED', 'fuse: device not found, try `modprobe fuse` first\n'],
  ['MOUNT_FAILED', ''],
])('%s: %j', (code, stderr) => {
  expect(mountError(subvolume, stderr).code).toBe(code);
});

/** Ceph 20 gives no answer to a user who may do nothing at its metadata servers, where Ceph 18 refused him. */
test('no answer may also mean that the user lacks a capability', () => {
  const error = mountError(
    subvolume,
    `${starting}ceph-fuse[7]: ceph mount failed with (110) Connection timed out\n`,
  );
  expect(error.code).toBe('CEPHFS_UNAVAILABLE');
  expect(error.guidance).toMatch(/ceph fs status.* mds "allow rws/);
});
