import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageOf } from '../../errors/error.js';
import { abandoned, ownName } from '../../tools/process/abandoned.js';

const prefix = 'cephbackup-drill-';

/** A folder among the temporary files, for what a drill restores. */
export function makeScratchFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), `${prefix}${ownName()}-`));
}

/** Removes the folders of drills that were killed. @param warn is told of what could not be removed */
export async function removeAbandonedFolders(warn: (text: string) => void): Promise<void> {
  for (const folder of abandoned(tmpdir(), prefix)) {
    await rm(folder, { recursive: true, force: true }).catch((thrown: unknown) => {
      warn(`${folder}, which a killed drill has left, could not be removed: ${messageOf(thrown)}`);
    });
  }
}
