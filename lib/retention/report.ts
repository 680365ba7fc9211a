import type { ErrorReport } from '../errors/error.js';

/** One snapshot, and why it stays or goes. */
export interface PruneItem {
  /** Full id. */
  id: string;
  /** RFC 3339, UTC. */
  time: string;
  reasons: string[];
}

/** What `prune` prints: a stable format. `forget` is what goes, or what would go. */
export interface PruneReport {
  cluster: string;
  dryRun: boolean;
  claims: {
    namespace: string;
    pvc: string;
    uid: string;
    exists: boolean;
    keep: PruneItem[];
    forget: PruneItem[];
  }[];
  manifests: { keep: PruneItem[]; forget: PruneItem[] };
  /** The records of what was proven; one goes when all that it tells of is gone. */
  proofs: { keep: PruneItem[]; forget: PruneItem[] };
  /** How many snapshots of the repository are none of this cluster's backups; they are not touched. */
  others: number;
  /** How many snapshots were forgotten. */
  forgotten: number;
  repository: {
    /** How many are left (in a dry run: would be). */
    snapshots: number | null;
    /** Bytes, as restic rounds them. */
    bytesFreed: number | null;
    bytesRemaining: number | null;
  };
  warnings: string[];
  error?: ErrorReport;
}
