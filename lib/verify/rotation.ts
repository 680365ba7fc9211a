import type { EpochMs } from '../log/time.js';
import { newestProven, type Backup, type StoredClaim } from '../repository/claims.js';

/** How much one call reads: until so many milliseconds have passed, or so many bytes. */
export type Budget = { milliseconds: number } | { bytes: number };

/** A claim whose last backup may be read. */
export interface Candidate {
  claim: StoredClaim;
  /** The newest that counts. */
  backup: Backup;
  /** The volume to be marked; null where there is none. */
  pv: string | null;
  /** When a backup of this very claim was last read and found sound. */
  lastVerified: EpochMs | null;
  /** The snapshot that its volume names as its backup. */
  markedSnapshot: string | null;
}

/** Those whose proof is the oldest first, and before them those that were never proven, in the order given. */
export function byAgeOfProof(candidates: readonly Candidate[]): Candidate[] {
  // Zero is before every proof, and unlike -Infinity it can be subtracted from itself.
  return candidates.toSorted((a, b) => (a.lastVerified ?? 0) - (b.lastVerified ?? 0));
}

/**
 * How many of the first candidates a budget of bytes takes: until their sizes would exceed it, but one at least, so that
 * a large one is not passed over for ever.
 */
export function withinBytes(candidates: readonly Candidate[], bytes: number): number {
  let sum = 0;
  const beyond = candidates.findIndex(({ backup }) => {
    sum += backup.sizeBytes ?? 0;
    return sum > bytes;
  });
  return beyond < 0 ? candidates.length : Math.max(1, beyond);
}

/** Null where no snapshot of the claim counts: there is nothing to read. */
export function candidate(
  claim: StoredClaim,
  volume: { pv: string; lastVerified: number | null; markedSnapshot: string | null } | null,
): Candidate | null {
  const backup = newestProven(claim);
  if (backup === null) return null;
  const { pv = null, lastVerified = null, markedSnapshot = null } = volume ?? {};
  return { claim, backup, pv, lastVerified, markedSnapshot };
}
