import type { EpochMs } from '../log/time.js';
import { behind } from './prefixed.js';

/**
 * When the newest change was made that the backup of a filesystem saw, by the clock of whoever made it: noted as the root
 * directory is (`root-note.ts`).
 */
const prefix = '/.cephbackup/newest-change/';

export function newestChangeNote(time: EpochMs): string {
  return prefix + new Date(time).toISOString();
}

/** Null where the snapshot does not tell. */
export function newestChangeIn(notes: readonly string[]): EpochMs | null {
  const time = Date.parse(behind(notes, prefix) ?? '');
  return Number.isNaN(time) ? null : time;
}
