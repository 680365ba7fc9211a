import type { EpochMs } from '../log/time.js';
import type { StatusReport } from '../plan/status.js';

/** One snapshot of a claim. */
export interface PageBackup {
  /** Full id. */
  id: string;
  /** The point in time that it holds. */
  timeMs: EpochMs;
  /** What it holds; null where that is not known. */
  sizeBytes: number | null;
  /** What the repository grew by; null where that is not known. */
  addedBytes: number | null;
  /** Unproven ones do not count as backups. */
  proven: boolean;
}

/** What a page says of a claim beyond its status. */
export interface ClaimFacts {
  storageClass: string | null;
  createdMs: EpochMs | null;
}

/** Backups of a claim that exists no more. */
export interface GoneClaim {
  namespace: string;
  pvc: string;
  uid: string;
  kind: string;
  /** Oldest first; never empty. */
  backups: readonly PageBackup[];
}

/** What `prune` would do with the rules that the page was asked to show. */
export interface PrunePreview {
  /** As options of `prune`. */
  rules: readonly string[];
  keep: number;
  forget: number;
  /** The claims that would lose the most, first; only those that lose something. */
  claims: readonly { namespace: string; pvc: string; keep: number; forget: number }[];
}

/** What the repository holds. */
export interface PageRepository {
  /** By the UID of a claim that exists, oldest first. */
  backups: ReadonlyMap<string, readonly PageBackup[]>;
  gone: readonly GoneClaim[];
  /** Null where no rules were given. */
  prune: PrunePreview | null;
}

/** Everything that a page is made of. */
export interface PageData {
  /** Null where a dump does not tell it. */
  cluster: string | null;
  madeMs: EpochMs;
  status: StatusReport;
  /** By UID. */
  facts: ReadonlyMap<string, ClaimFacts>;
  /** Null where the repository was not asked. */
  repository: PageRepository | null;
}
