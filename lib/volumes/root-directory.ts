import { asCephbackupError } from '../errors/error.js';
import { rootNote } from '../repository/root-note.js';
import { readAttributes } from '../tools/node/directory-attributes.js';
import { volumeDirectory } from '../tools/node/namespace.js';
import type { Exec, NamespaceRef } from '../tools/process/exec.js';
import type { VolumeJob } from './driver.js';

/**
 * Options by which restic notes what the mounted volume's root directory is besides its content. Its content is worth a
 * backup also where that cannot be told.
 */
export async function rootOptions(
  { signal, warn }: Pick<VolumeJob, 'signal' | 'warn'>,
  exec: Exec,
  namespace: NamespaceRef,
): Promise<string[]> {
  const lost = 'the owner, mode and attributes of the root directory are not in this backup';
  try {
    const note = rootNote(await readAttributes(exec, { namespace, path: volumeDirectory }, { signal }));
    if (note !== null) return [`--exclude=${note}`];
    warn(`${lost}: they are too large`);
  } catch (thrown) {
    signal.throwIfAborted();
    warn(`${lost}: ${asCephbackupError(thrown).message}`);
  }
  return [];
}
