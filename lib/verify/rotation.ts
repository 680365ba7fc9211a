import { newest, type Backup, type StoredClaim } from '../repository/claims.js';

/** How much one call reads: until so many milliseconds have passed, or so many bytes. */
export type Budget = { milliseconds: number } | { bytes: number };

/** A claim whose newest backup may be proven. */
export interface Candidate {
  claim: StoredClaim;
  /** Its newest. */
  backup: Backup;
  /** The volume to be marked; null where there is none. */
  pv: string | null;
  /** When its backup was last proven, milliseconds since the epoch. */
  lastVerified: number | null;
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

/**
 * A volume's mark counts for the claim that it was made for: one that is older than the claim's first backup was made
 * for a claim that had the volume before.
 */
export function proofOf(claim: StoredClaim, marked: number | null): number | null {
  return marked !== null && marked >= claim.backups[0].time ? marked : null;
}

export function candidate(
  claim: StoredClaim,
  volume: { pv: string; lastVerified: number | null; markedSnapshot: string | null } | null,
): Candidate {
  return {
    claim,
    backup: newest(claim),
    pv: volume?.pv ?? null,
    lastVerified: proofOf(claim, volume?.lastVerified ?? null),
    markedSnapshot: volume?.markedSnapshot ?? null,
  };
}
