import type { PruneReport } from '../retention/report.js';
import { single, type Family } from './family.js';

/** What a prune says that succeeded; one that failed says nothing, and what the last one said stays. */
export function pruneMetrics(
  { forgotten, repository, error }: PruneReport,
  finished: number,
): Family[] | undefined {
  if (error !== undefined) return undefined;
  return [
    single(
      'cephbackup_prune_last_success_timestamp_seconds',
      'When a prune last succeeded.',
      finished / 1000,
    ),
    single('cephbackup_prune_forgotten_snapshots', 'Snapshots that the last prune forgot.', forgotten),
    single('cephbackup_prune_freed_bytes', 'Bytes that the last prune freed.', repository.bytesFreed),
    single('cephbackup_repository_snapshots', 'Snapshots in the repository.', repository.snapshots),
    single('cephbackup_repository_size_bytes', "Bytes of the repository's data.", repository.bytesRemaining),
  ];
}
