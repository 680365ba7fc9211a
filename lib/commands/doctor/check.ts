import { CephbackupError } from '../../errors/error.js';
import type { Setup } from './setup.js';

export type Status = 'ok' | 'warning' | 'failed';

export interface Finding {
  status: Status;
  /** One line. */
  message: string;
  /** What to do: a command to run or a line of YAML; null where nothing is wrong. */
  fix: string | null;
}

/** One precondition of `run`. It writes nothing, in Ceph, Kubernetes or the repository. */
export interface Check {
  /** Stable; scripts may look for it. */
  name: string;
  /**
   * What it found, in any number. What it throws is a failure, whose guidance is the fix; `NotChecked` says that
   * something else is missing first.
   */
  run(setup: Setup, signal: AbortSignal): Promise<Finding | Finding[]>;
}

export function ok(message: string): Finding {
  return { status: 'ok', message, fix: null };
}

export function warning(message: string, fix: string): Finding {
  return { status: 'warning', message, fix };
}

export function failed(message: string, fix: string): Finding {
  return { status: 'failed', message, fix };
}

/** What a check looks at cannot be reached; the check whose business that is says so. */
export class NotChecked extends Error {
  constructor(
    message: string,
    override readonly cause: CephbackupError,
  ) {
    super(message);
  }
}
