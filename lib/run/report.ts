import type { ErrorReport } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import type { Leftover } from './scope.js';

export type Outcome = 'succeeded' | 'unchanged' | 'failed' | 'not-attempted';

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
  /** Bytes given to restic. */
  bytesRead: number;
  /** Bytes that the repository grew by. */
  bytesAdded: number;
  /** From the snapshot to the end of unwinding. */
  seconds: number;
  warnings: string[];
  error: ErrorReport | null;
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
    bytesRead: 0,
    bytesAdded: 0,
    seconds: 0,
    warnings: [],
    error,
  };
}
