import type { FilesystemLayout } from '../tools/node/filesystem-layout.js';
import { behind } from './prefixed.js';

/** How the filesystem was made that a snapshot is of: noted as its root directory is (`root-note.ts`). */
const prefix = '/.cephbackup/filesystem/';

export function filesystemNote(layout: FilesystemLayout): string {
  return prefix + Buffer.from(JSON.stringify(layout)).toString('base64url');
}

/** Null where the snapshot tells nothing that makes sense. */
export function filesystemIn(notes: readonly string[]): FilesystemLayout | null {
  const note = behind(notes, prefix);
  if (note === null) return null;
  try {
    const text = Buffer.from(note, 'base64url').toString();
    const told = JSON.parse(text) as FilesystemLayout;
    const numbers = Object.entries(told).every(
      ([key, value]) => !/(Bytes|inodes)$/.test(key) || (Number.isSafeInteger(value) && Number(value) > 0),
    );
    const known = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536].includes(told.blockBytes);
    return numbers && known && ['ext', 'xfs'].includes(told.type) ? told : null;
  } catch {
    return null;
  }
}
