import { CephbackupError } from '../../errors/error.js';
import { forbidden } from '../../tools/ceph-fs.js';
import type { CephfsMountRequest } from './client.js';
import { subvolumesDirectory } from './place.js';

/** errno values in the messages of ceph-fuse and mount.ceph. */
const errors = { EPERM: 1, ENOENT: 2, EIO: 5, EACCES: 13, ESTALE: 116, ETIMEDOUT: 110 };

/** What a failed mount means; both clients print the errno in their message. */
export function mountError({ fs, root }: CephfsMountRequest, message: string): CephbackupError {
  const text = `mount of ${root} of the filesystem ${fs}: ${message}`;
  const errno = Number(/(?:failed with \(|mount error )(\d+)/.exec(message)?.[1]);
  switch (errno) {
    case errors.ENOENT:
      return new CephbackupError(isSubvolume(root) ? 'SUBVOLUME_NOT_FOUND' : 'DIRECTORY_NOT_FOUND', text);
    case errors.EPERM:
    case errors.EACCES:
      return forbidden(text);
    case errors.ETIMEDOUT:
    case errors.EIO:
      return new CephbackupError('CEPHFS_UNAVAILABLE', text, { retryable: true });
  }
  if (/failed to fetch mon config|monclient|no route|connection timed out/i.test(message)) {
    return new CephbackupError('CEPH_UNREACHABLE', text, { retryable: true });
  }
  if (/no mds server is up/i.test(message)) return new CephbackupError('CEPHFS_UNAVAILABLE', text);
  return new CephbackupError('MOUNT_FAILED', text);
}

function isSubvolume(root: string): boolean {
  return root.startsWith(`${subvolumesDirectory}/`);
}
