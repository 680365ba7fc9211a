import type { ErrorReport } from '../../errors/error.js';
import type { TargetState } from '../../restore/job.js';
import type { Leftover } from '../../ownership/scope.js';
import { leftoverLines } from '../../cli/output/leftovers.js';
import { formatBytes } from '../../log/quantity.js';

/** What `restore` prints, also where it failed. */
export interface RestoreReport {
  claim: { cluster: string; namespace: string; pvc: string; uid: string };
  /** Full id. */
  snapshot: string;
  /** The backup's point in time, RFC 3339 UTC. */
  time: string;
  kind: string;
  target: {
    type: 'image' | 'pvc' | 'directory' | 'file';
    /** As the option names it. */
    name: string;
    state: TargetState;
    /** Of a disk, exactly; null for files. */
    sizeBytes: number | null;
  };
  /** The part of the filesystem that was asked for. */
  path: string | null;
  /** Of a disk, out of which files were taken. */
  partition: number | null;
  bytesWritten: number;
  files: number | null;
  /** Whether the target was read back and compared with the backup. */
  verified: boolean;
  seconds: number;
  leftovers: Leftover[];
  warnings: string[];
  error: ErrorReport | null;
}

const states: Record<TargetState, string> = {
  untouched: 'nothing was written to it',
  incomplete: 'it is incomplete: run the same restore with --force to complete it',
  removed: 'what had been begun was removed again',
  complete: 'it is complete',
};

/** What has become of the target, in words. */
export function stateText(state: TargetState): string {
  return states[state];
}

/** In a sentence, a number alone would be one of nothing. */
function inWords(sizeBytes: number): string {
  return sizeBytes < 1024 ? `${sizeBytes} bytes` : formatBytes(sizeBytes);
}

export function restoreTable(report: RestoreReport): string {
  const { claim, snapshot, time, target, verified, seconds, files } = report;
  const what = `${claim.namespace}/${claim.pvc} as of ${time} (snapshot ${snapshot.slice(0, 8)})`;
  const amount =
    files === null
      ? inWords(report.bytesWritten)
      : `${files} files and directories, ${inWords(report.bytesWritten)}`;
  const how = verified ? 'verified: read back and compared with the backup' : 'NOT verified';
  const done = `Restored ${what}\nto ${target.type} ${target.name}: ${amount} written in ${seconds.toFixed(1)}s, ${how}.\n`;
  const failed = `NOT restored: ${what}\nto ${target.type} ${target.name}: ${stateText(target.state)}.\n`;
  return (report.error === null ? done : failed) + leftoverLines('Left behind', report.leftovers);
}
