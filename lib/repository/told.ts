import type { DirectoryAttributes } from '../tools/node/directory-attributes.js';
import type { FilesystemLayout } from '../tools/node/filesystem-layout.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';
import { filesystemIn } from './filesystem-note.js';
import { rootIn } from './root-note.js';

/** What a snapshot tells of a volume besides its files. */
export interface Told {
  /** What its root directory was besides its content; null where the backup does not tell. */
  root: DirectoryAttributes | null;
  /** The filesystem that it was, as far as another one should be made like it. */
  layout: FilesystemLayout | null;
  /** How many files and directories there are; 0 where the backup does not tell. */
  entries: number;
}

export function toldBy(snapshots: readonly ResticSnapshot[], id: string): Told {
  const snapshot = snapshots.find((one) => one.id === id);
  const { filesProcessed = 0, directories = 0 } = snapshot?.summary ?? {};
  const notes = snapshot?.excludes ?? [];
  return { root: rootIn(notes), layout: filesystemIn(notes), entries: filesProcessed + directories };
}
