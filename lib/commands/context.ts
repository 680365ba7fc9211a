import type { Readable } from 'node:stream';
import type { Family } from '../metrics/family.js';
import type { Logger } from '../report/logger.js';
import type { Progress } from '../report/progress.js';
import type { Redactor } from '../report/redactor.js';
import type { EndingSignal } from '../run/exit-code.js';
import type { Exec } from '../tools/exec.js';

/** Everything a command gets from outside; only `lib/cli` and `bin` know the process itself. */
export interface CommandContext<Options> {
  options: Options;
  operands: readonly string[];
  env: NodeJS.ProcessEnv;
  stdin: Readable;
  hostname: string;
  /** Whether this program runs as root. */
  root: boolean;
  /** Aborts on SIGTERM, SIGINT and at --run-timeout; its reason is a CephbackupError. */
  signal: AbortSignal;
  /** The signal that asked this program to end, if one did. */
  endedBy: () => EndingSignal | null;
  /** UTC milliseconds. */
  clock: () => number;
  log: Logger;
  redactor: Redactor;
  exec: Exec;
  progress: () => Progress;
}

export interface CommandOutput {
  /** What `-o json` prints. */
  document: unknown;
  /** What is printed otherwise; ends with a newline, or is empty. A function where it is dear to make. */
  table: string | (() => string);
  exitCode: number;
  /** What `--metrics-file` and `--metrics-push` get besides the exit code. */
  metrics?: readonly Family[];
}

export type Command<Options> = (context: CommandContext<Options>) => Promise<CommandOutput>;
