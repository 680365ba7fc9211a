import { CephbackupError } from '../../errors/error.js';
import { forbidden } from '../../tools/ceph/fs.js';
import { lastLine } from '../../tools/process/outcome.js';
import type { CephfsMountRequest } from './client.js';
import { subvolumesDirectory } from './place.js';

/** errno values in the messages of ceph-fuse and mount.ceph. */
const errors = { EPERM: 1, ENOENT: 2, EIO: 5, EACCES: 13, ESTALE: 116, ETIMEDOUT: 110 };

/**
 * Where both clients print the errno. The threads of ceph-fuse write at once, and one's line of the log may come into the
 * middle of another's message: then the errno begins a line.
 */
const errnoPrinted = /(?:^\(|failed with \(|mount error )(\d+)/;

/** Of a mount that is neither made nor refused: from Ceph 20 on, what becomes of a client that may do nothing there. */
export function noAnswer(
  { fs, root }: Pick<CephfsMountRequest, 'fs' | 'root'>,
  text: string,
): CephbackupError {
  const message = `mount of ${root} of the filesystem ${fs}: ${text}`;
  return new CephbackupError('CEPHFS_UNAVAILABLE', message, { retryable: true, guidance: noAnswerGuidance });
}

const noAnswerGuidance =
  'See `ceph fs status`, then run again. Where its metadata servers are well, the Ceph user has no capability for them: `ceph auth caps client.USER … mds "allow rws fsname=FS"` (docs/cephfs.md lists all).';

/** What a failed mount means, by all that the client wrote to stderr. */
export function mountError(
  { fs, root }: Pick<CephfsMountRequest, 'fs' | 'root'>,
  stderr: string,
): CephbackupError {
  const telling = stderr.split('\n').find((line) => errnoPrinted.test(line)) ?? stderr;
  const last = lastLine(telling);
  const text = `mount of ${root} of the filesystem ${fs}: ${last}`;
  switch (Number(errnoPrinted.exec(telling)?.[1])) {
    case errors.ENOENT:
      return new CephbackupError(isSubvolume(root) ? 'SUBVOLUME_NOT_FOUND' : 'DIRECTORY_NOT_FOUND', text);
    case errors.EPERM:
    case errors.EACCES:
      return forbidden(text);
    case errors.ETIMEDOUT:
      return noAnswer({ fs, root }, last);
    case errors.EIO:
      return new CephbackupError('CEPHFS_UNAVAILABLE', text, { retryable: true });
  }
  if (/failed to fetch mon config|monclient|no route|connection timed out/i.test(stderr)) {
    return new CephbackupError('CEPH_UNREACHABLE', text, { retryable: true });
  }
  // The words of 16, and of 17 and later [src/mount/mount.ceph.c].
  if (/no mds (server|\(Metadata Server\)) is up/i.test(stderr))
    return new CephbackupError('CEPHFS_UNAVAILABLE', text, { retryable: true, guidance: noAnswerGuidance });
  return new CephbackupError('MOUNT_FAILED', text);
}

function isSubvolume(root: string): boolean {
  return root.startsWith(`${subvolumesDirectory}/`);
}
