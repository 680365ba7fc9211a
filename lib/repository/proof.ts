import type { EpochMs } from '../log/time.js';
import { CephbackupError } from '../errors/error.js';
import type { BackupSummary } from '../tools/restic/restic.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';
import type { SnapshotReader } from './read-back.js';

export interface ProofRequest {
  summary: BackupSummary;
  host: string;
  tags: readonly string[];
  time: EpochMs;
  /** For a stream: the bytes that its producer had to write. */
  expectedBytes: number | null;
  /** For a directory: entries in its root; a snapshot with fewer files and directories lost some. */
  leastEntries: number;
  deadlineMs: number;
}

/**
 * Reads the snapshot back from the repository and compares it with what was asked for.
 * @throws CephbackupError BACKUP_UNPROVEN, REPOSITORY_…
 */
export async function proveSnapshot(
  repository: SnapshotReader,
  request: ProofRequest,
): Promise<ResticSnapshot> {
  const { summary } = request;
  const snapshot = await repository.catSnapshot(summary.snapshotId, { deadlineMs: request.deadlineMs });
  const entries = summary.filesProcessed + summary.directories;
  const doubts = [
    snapshot.hostname !== request.host && 'another host',
    !sameSet(snapshot.tags, request.tags) && 'other tags',
    Date.parse(snapshot.time) !== request.time && 'another time',
    snapshot.tree === '' && 'no tree',
    entries < request.leastEntries && `only ${entries} of at least ${request.leastEntries} entries`,
    request.expectedBytes !== null &&
      summary.bytesProcessed !== request.expectedBytes &&
      `${summary.bytesProcessed} bytes instead of ${request.expectedBytes}`,
    snapshot.summary !== null && snapshot.summary.bytesProcessed !== summary.bytesProcessed && 'another size',
  ].filter((doubt) => doubt !== false);
  if (doubts.length === 0) return { ...snapshot, id: summary.snapshotId };
  throw new CephbackupError('BACKUP_UNPROVEN', `snapshot ${summary.snapshotId} has ${doubts.join(', ')}`);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}
