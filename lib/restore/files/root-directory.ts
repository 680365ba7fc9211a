import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import {
  readAttributes,
  writeAttributes,
  type DirectoryAttributes,
} from '../../tools/node/directory-attributes.js';
import type { RestoreJob } from '../job.js';
import type { WritableDirectory } from './confined.js';

type RootJob = Pick<RestoreJob, 'exec' | 'signal' | 'root' | 'warn'>;

/**
 * Gives the root directory of a target what the volume's own had: owner, mode, ACLs, attributes, time. Comes last,
 * because every file that is made in it changes its time.
 *
 * @param owners whether owners could be restored
 * @returns false where the backup does not tell @throws CephbackupError RESTORE_FAILED
 */
export async function restoreRoot(
  { exec, signal, root, warn }: RootJob,
  directory: WritableDirectory,
  owners = true,
): Promise<boolean> {
  if (root === null) return false;
  const problems = await writeAttributes(exec, directory, root, owners, { signal });
  for (const problem of problems) warn(`the root directory: ${printable(problem)}`);
  if (!owners) return true;
  const difference = differenceOf(root, await readAttributes(exec, directory, { signal }));
  if (difference !== null) warn(`the root directory ${difference}`);
  return true;
}

/** Compares it with what the backup tells; writes nothing. @throws CephbackupError RESTORE_UNVERIFIED */
export async function compareRoot(
  { exec, signal, root }: Pick<RootJob, 'exec' | 'signal' | 'root'>,
  directory: WritableDirectory,
): Promise<void> {
  if (root === null) return;
  const difference = differenceOf(root, await readAttributes(exec, directory, { signal }));
  if (difference !== null)
    throw new CephbackupError('RESTORE_UNVERIFIED', `the root directory ${difference}`);
}

/** Pure. The time is left out: filesystems round it in different ways. */
export function differenceOf(should: DirectoryAttributes, has: DirectoryAttributes): string | null {
  if (has.mode !== should.mode) {
    return `has the mode ${has.mode.toString(8)} instead of ${should.mode.toString(8)}`;
  }
  if (has.uid !== should.uid || has.gid !== should.gid) {
    return `belongs to ${has.uid}:${has.gid} instead of ${should.uid}:${should.gid}`;
  }
  const values = new Map(has.xattrs);
  const other = should.xattrs.find(([name, value]) => values.get(name) !== value);
  return other === undefined ? null : `has not the attribute ${printable(other[0])} that it had`;
}
