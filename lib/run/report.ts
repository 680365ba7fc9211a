import { CephbackupError, type ErrorReport } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import type { Leftover, Scope } from '../ownership/scope.js';

/**
 * `empty`: there is nothing in it, and never was anything backed up of it · `vanished`: its claim was gone when its turn
 * came. Neither is a failure.
 */
export const outcomes = ['succeeded', 'unchanged', 'empty', 'vanished', 'failed', 'not-attempted'] as const;
export type Outcome = (typeof outcomes)[number];

/** What became of one volume, as `run -o json` prints it. */
export interface VolumeResult {
  namespace: string;
  pvc: string;
  uid: string;
  pv: string | null;
  kind: PlannedVolume['kind'];
  outcome: Outcome;
  /** Full id; null for every volume that failed. */
  snapshot: string | null;
  /** The backup's point in time, RFC 3339 UTC; null for every volume that failed. */
  time: string | null;
  /** Bytes that the backup holds. */
  bytesTotal: number;
  /** Bytes that were read: what restic takes from the parent is not. */
  bytesRead: number;
  /** Bytes that the repository grew by. */
  bytesAdded: number;
  /** From the snapshot to the end of unwinding. */
  seconds: number;
  /** How long the applications that use the volume were held for its snapshot; null where none was. */
  heldSeconds: number | null;
  /** What the backup leaves out: patterns as they were written, then options. */
  excludes: string[];
  warnings: string[];
  error: ErrorReport | null;
  /** With `--on-corrupt image`, of a volume that failed: what was saved of it instead. */
  image?: SavedImage;
  /** With `--keep-base`, of a disk: `used`, or why everything was read. */
  base?: string;
}

/** A disk that was saved beside a failure: no backup of the claim's files. */
export interface SavedImage {
  /** Full id. */
  snapshot: string;
  /** RFC 3339 UTC. */
  time: string;
  /** As of a volume. */
  bytesTotal: number;
  bytesRead: number;
  bytesAdded: number;
}

/** What one volume came to, and what it left behind. */
export interface VolumeEnd {
  result: VolumeResult;
  leftovers: Leftover[];
  /** The error behind `result.error`. */
  error: CephbackupError | null;
  /** Holds what could not be released, and may be released later. */
  unreleased?: Scope;
}

export interface RunReport {
  run: string;
  /** RFC 3339, UTC. */
  started: string;
  finished: string;
  exitCode: number;
  volumes: VolumeResult[];
  leftovers: Leftover[];
  warnings: string[];
  /** What made the run as a whole fail, if anything did. */
  error?: ErrorReport;
}

/** A result with nothing done yet. */
export function emptyResult(
  volume: PlannedVolume,
  outcome: Outcome,
  error: ErrorReport | null,
): VolumeResult {
  const { namespace, pvc, uid, pv, kind } = volume;
  return {
    namespace,
    pvc,
    uid,
    pv,
    kind,
    outcome,
    snapshot: null,
    time: null,
    bytesTotal: 0,
    bytesRead: 0,
    bytesAdded: 0,
    seconds: 0,
    heldSeconds: null,
    excludes: [],
    warnings: [],
    error,
  };
}

/** What became of a volume that the run had no use to begin, or gave up for a reason that is not the volume's. */
export function notAttempted(
  volume: PlannedVolume,
  cause: CephbackupError,
  leftovers: Leftover[] = [],
): VolumeEnd {
  const { message, guidance } = cause;
  const error = new CephbackupError('NOT_ATTEMPTED', `not attempted: ${message}`, { guidance, cause });
  return { result: emptyResult(volume, 'not-attempted', error.report()), leftovers, error };
}
