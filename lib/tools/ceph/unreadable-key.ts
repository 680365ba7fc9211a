import { release } from 'node:os';
import { CephbackupError } from '../../errors/error.js';
import type { CommandResult } from '../process/exec.js';
import type { CephConnection } from './connection.js';
import { keyType, readKeys } from './keyring.js';

/**
 * What a client says of a key that it cannot read, unless it is told to log nothing. The key is masked, but for what
 * tells its type (lib/log/redactor.ts).
 */
const said = /error setting modifier for \[([^\]\s]+)\] type=key val=(\S*)/;

/** EIO, before there is a connection: no monitor was asked. */
const connectsToNobody = /couldn't connect to the cluster|error connecting/;
const EIO = 5;

/** @returns the result as it is @throws CephbackupError CEPH_KEY_UNREADABLE where it failed for that */
export function expectReadableKey(connection: CephConnection, result: CommandResult): CommandResult {
  const problem = result.exitCode === 0 ? null : keyProblem(connection, result);
  if (problem !== null) throw problem;
  return result;
}

/** Whether what a client says on stderr means that it cannot read its user's key. */
export function keyProblem(
  connection: CephConnection,
  { exitCode, stderr }: Pick<CommandResult, 'exitCode' | 'stderr'>,
): CephbackupError | null {
  const [, named, shown = ''] = said.exec(stderr) ?? [];
  const user = named ?? `client.${connection.user ?? 'admin'}`;
  if (named !== undefined) return shown.startsWith('Ag***') ? tooNew(user) : malformed(user);
  const withoutWords = connectsToNobody.test(stderr) && (exitCode === EIO || /errno 5\b/.test(stderr));
  if (!withoutWords) return null;
  const key = readKeys(connection).find((entry) => entry.user === user)?.key;
  return key !== undefined && keyType(key) === 'aes256k' ? tooNew(user) : null;
}

function tooNew(user: string): CephbackupError {
  const message = `the key of ${user} is of type aes256k, which the Ceph programs here are too old to read`;
  return new CephbackupError('CEPH_KEY_UNREADABLE', message);
}

function malformed(user: string): CephbackupError {
  return new CephbackupError('CEPH_KEY_UNREADABLE', `the key of ${user} is not a whole key`, {
    guidance: `Write the keyring anew, with what \`ceph auth get ${user}\` prints.`,
  });
}

/** Of `rbd device map` [src/krbd.cc] and mount.ceph [src/mount/mount.ceph.c]; libceph logs `secret too big 32`. */
const notForTheKernel = /failed to add secret '.*' to kernel|adding ceph secret key to kernel failed/;

/** Why the kernel did not take the user's key, which Ceph's programs could read; null where that is not the reason. */
export function kernelRefusesKey(
  connection: CephConnection,
  stderr: string,
): { message: string; guidance: string } | null {
  if (!notForTheKernel.test(stderr)) return null;
  const user = `client.${connection.user ?? 'admin'}`;
  const key = readKeys(connection).find((entry) => entry.user === user)?.key;
  if (key === undefined || keyType(key) !== 'aes256k') return null;
  return {
    message: `the kernel (${release()}) did not take the key of ${user}, which is of type aes256k`,
    guidance:
      'Linux 7.0 and newer take such keys. With an older kernel use --mapper fuse and --cephfs-client fuse, which do without it; or give the user a key of type aes, where the cluster still takes one: `ceph auth rotate client.USER --key_type aes`.',
  };
}
