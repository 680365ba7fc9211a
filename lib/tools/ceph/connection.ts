import { CephbackupError } from '../../errors/error.js';
import type { CommandResult } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';

/** How the Ceph programs reach a cluster. Keys travel through the keyring file only, never through argv. */
export interface CephConnection {
  conf: string | null;
  /** Without the `client.` prefix. */
  user: string | null;
  keyring: string | null;
  /** Instead of ceph.conf's. */
  monitors: readonly string[] | null;
}

/** A client gives up to reach the monitors after so long (Ceph's default is 300 s). */
const connectTimeoutSeconds = 30;

/** The options that every Ceph program understands. */
export function connectionArguments(connection: CephConnection): string[] {
  const { conf, user, keyring, monitors } = connection;
  return [
    ...(conf === null ? [] : ['--conf', conf]),
    ...(user === null ? [] : ['--id', user]),
    ...(keyring === null ? [] : ['--keyring', keyring]),
    ...(monitors === null ? [] : ['--mon-host', monitors.join(',')]),
    `--client-mount-timeout=${connectTimeoutSeconds}`,
  ];
}

/** Exit codes of `rbd` and `ceph` are errno values. */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENOSPC: 28,
  EROFS: 30,
  ENOTEMPTY: 39,
  ETIMEDOUT: 110,
  EDQUOT: 122,
};
const noSpace = new Set([errno.ENOSPC, errno.EDQUOT]);
/** What `rbd` and `ceph` say where they reached nobody: nothing has happened. */
export const noConnection =
  /couldn't connect to the cluster|error connecting to the cluster|monclient.*(timed out|authenticate)|unable to get monitor info/i;

/** A failed Ceph command as the error it means for a volume. */
export function cephError(
  fallback: 'SNAPSHOT_FAILED' | 'CLONE_FAILED' | 'MAP_FAILED' | 'COMMAND_FAILED' | 'RESTORE_FAILED',
  what: string,
  { exitCode, stderr }: CommandResult,
): CephbackupError {
  const message = `${what}: ${errorLine(stderr)} (exit code ${exitCode})`;
  if (noConnection.test(stderr)) {
    // Else it is the key that was refused, or is not there: that does not pass by itself.
    const retryable = exitCode === errno.ETIMEDOUT || /timed ?out|errno 110/i.test(stderr);
    return new CephbackupError('CEPH_UNREACHABLE', message, { retryable });
  }
  if (noSpace.has(exitCode)) return new CephbackupError('POOL_FULL', message);
  if (exitCode === errno.ENOENT) return new CephbackupError('IMAGE_NOT_FOUND', message);
  if (isForbidden(exitCode, stderr)) return new CephbackupError('CEPH_FORBIDDEN', message);
  if (exitCode === errno.EROFS) return new CephbackupError('IMAGE_NOT_PRIMARY', message);
  return new CephbackupError(fallback, message);
}

/** Exit code 1 is EPERM, and also what `rbd` says of options that it does not know. */
function isForbidden(exitCode: number, stderr: string): boolean {
  return exitCode === errno.EACCES || (exitCode === errno.EPERM && /not permitted|\bEPERM\b/i.test(stderr));
}

/** The line that says what went wrong: `rbd: …` where there is one, without time stamps of the client's log. */
function errorLine(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const own = lines.findLast((line) => /^(rbd|ceph|Error)\b/.test(line));
  return lastLine(own ?? stderr.replaceAll('\r', '\n'));
}
