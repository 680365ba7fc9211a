import type { PruneReport } from '../report/prune-table.js';
import { single, type Family } from './family.js';

export function pruneMetrics({ forgotten, repository }: PruneReport): Family[] {
  return [
    single('cephbackup_prune_forgotten_snapshots', 'Snapshots that the last prune forgot.', forgotten),
    single('cephbackup_prune_freed_bytes', 'Bytes that the last prune freed.', repository.bytesFreed),
    single('cephbackup_repository_snapshots', 'Snapshots in the repository.', repository.snapshots),
    single('cephbackup_repository_bytes', "Bytes of the repository's data.", repository.bytesRemaining),
  ];
}
