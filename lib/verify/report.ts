import type { ErrorReport } from '../errors/error.js';
import type { Leftover } from '../ownership/scope.js';

/**
 * `failed`: it is not known whether the backup is sound, because it could not be read for another reason than damage.
 * `not-attempted`: left for the next time; with an error where that was not the budget's doing.
 */
export type ProofOutcome = 'verified' | 'damaged' | 'failed' | 'not-attempted';

/** What a drill restores to: a scratch image in the volume's pool; a folder or a file in TMPDIR. */
export type DrillTarget = 'image' | 'directory' | 'file';

export interface ClaimIdentity {
  cluster: string;
  namespace: string;
  pvc: string;
  uid: string;
}

/** What became of the proof of one claim, as `verify -o json` prints it. */
export interface ClaimProof extends ClaimIdentity {
  /** Name of the volume that is marked; null where there is none. */
  pv: string | null;
  kind: string;
  outcome: ProofOutcome;
  /** Full id of the newest snapshot. */
  snapshot: string;
  /** Its point in time, RFC 3339 UTC; null where it cannot be read. */
  time: string | null;
  /** Of files, or of the disk's image, that were read and compared. */
  bytes: number;
  /** Null for a disk. */
  files: number | null;
  /** Where it was restored to and compared; null where it was not. */
  drill: DrillTarget | null;
  seconds: number;
  /** What the volume's annotation says by now, RFC 3339 UTC. */
  lastVerified: string | null;
  warnings: string[];
  error: ErrorReport | null;
}

/** One thing that is damaged, and everything that needs it. */
export interface DamageReport {
  object: 'blob' | 'pack' | 'index' | 'snapshot' | 'contents';
  /** As restic names it: of blobs and packs perhaps only the first digits. */
  id: string;
  /** The pack of a blob, where it is known. */
  pack: string | null;
  message: string;
  /** What cannot be restored completely; snapshots oldest first, full ids. */
  claims: (ClaimIdentity & { snapshots: string[] })[];
  /** Snapshots that are not known to be of a claim. */
  others: string[];
  /** Whether everything that it hurts is known. */
  complete: boolean;
  guidance: string;
}

export interface VerifyReport {
  /** RFC 3339, UTC. */
  started: string;
  finished: string;
  exitCode: number;
  /** Whether what was verified was also restored. */
  drill: boolean;
  claims: ClaimProof[];
  damage: DamageReport[];
  /** What drills could not remove. */
  leftovers: Leftover[];
  warnings: string[];
  /** What kept the command as a whole from its work, if anything did. */
  error?: ErrorReport;
}
