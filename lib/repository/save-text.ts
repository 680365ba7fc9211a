import type { EpochMs } from '../log/time.js';
import { tmpdir } from 'node:os';
import type { Restic } from '../tools/restic/restic.js';
import { writeUnnamedFile } from '../tools/process/unnamed-file.js';
import { backupSource } from './backup.js';

export interface TextSnapshot {
  host: string;
  tags: readonly string[];
  /** Path of the one file within the snapshot. */
  filename: string;
  text: string;
  /** Lines that come with the list of snapshots, so that no snapshot has to be opened for them. */
  notes: readonly string[];
  /** Cut to seconds. */
  time: EpochMs;
}

/** Saves a text as a snapshot of one file, and returns its id. @throws BackupError */
export async function saveText(
  restic: Restic,
  { text, filename, time, ...about }: TextSnapshot,
  signal: AbortSignal,
): Promise<string> {
  const bytes = Buffer.from(text);
  const file = writeUnnamedFile(tmpdir(), [bytes]);
  try {
    const summary = await backupSource(restic, {
      ...about,
      // A command whose failure keeps restic from saving; what restic reads from its own stdin may end too early.
      source: {
        type: 'stream',
        filename,
        command: ['cat', file.path],
        length: bytes.length,
        imageSize: null,
        confirm: () => Promise.resolve(),
      },
      time: Math.floor(time / 1000) * 1000,
      parent: null,
      // Made again, it says the same.
      patience: { ownRetries: true },
      deadlineMs: 600_000,
      signal,
      onProgress: () => undefined,
    });
    return summary.snapshotId;
  } finally {
    file.close();
  }
}
