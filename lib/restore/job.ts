import type { Logger } from '../log/logger.js';
import type { Leftover, Scope } from '../ownership/scope.js';
import type { Exec } from '../tools/process/exec.js';
import type { Restic } from '../tools/restic/restic.js';
import type { Backup } from '../repository/claims.js';
import type { Told } from '../repository/told.js';

/**
 * What state a target is in, for whoever has to decide what to do with it: nothing was written; something was, but not
 * all (`restore --force` completes it); what was begun was removed again; everything is there and was checked.
 */
export type TargetState = 'untouched' | 'incomplete' | 'removed' | 'complete';

/** One restore while it is in progress. */
export interface RestoreJob extends Told {
  /** 8 hex digits: what it notes on a target can be told from another restore's. */
  id: string;
  backup: Backup;
  restic: Restic;
  exec: Exec;
  /** Whether something that exists may be overwritten. Nothing permits a target that is in use. */
  force: boolean;
  signal: AbortSignal;
  log: Logger;
  /** What is acquired for the restore, and must not stay. */
  scope: Scope;
  /** For what has to be released before the restore is complete. */
  newScope: () => Scope;
  /** What could not be released so far. */
  leftovers: Leftover[];
  /** Kept up to date by whoever writes: it must be true also where the program is killed in the next moment. */
  state: TargetState;
  /** Says what is being done now. @param totalBytes that this step moves, where that is known */
  step: (text: string, totalBytes?: number | null) => void;
  /** So many more bytes were moved in this step. */
  moved: (bytes: number) => void;
  warn: (text: string) => void;
}

export interface RestoreOutcome {
  /** Bytes of data written to the target; zeros that are left out do not count. */
  bytesWritten: number;
  /** Files, directories and the like; null for a disk. */
  files: number | null;
  /** Of the disk, exactly; null for files. */
  diskSize: number | null;
}
