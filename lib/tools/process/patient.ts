import { asCephbackupError } from '../../errors/error.js';
import { nextPause, persist, type Ended, type Patience } from '../../waiting/persist.js';
import { passing, retrying, type Answer } from '../../waiting/passing.js';
import type { Waits } from '../../waiting/waits.js';
import { CommandFailure } from './ending.js';
import type { CommandOptions, CommandResult, Exec } from './exec.js';
import { lastLine, shownCommand } from './outcome.js';

/** Two minutes, with pauses that grow to ten seconds. */
export const defaultPatience: Patience = {
  patienceMs: 120_000,
  intervalMs: 1_000,
  longestIntervalMs: 10_000,
};

interface Cause {
  what: string;
  most: number;
}

/**
 * An `Exec` that tries a command again whose answer passes by itself, where the command may be repeated
 * (`CommandOptions.patience`). What it returns or throws in the end is the last attempt's own.
 */
export function patientExec(
  exec: Exec,
  waits: Waits,
  defaults: () => Patience = () => defaultPatience,
): Exec {
  const once = watchingRetries(exec, waits, defaults);
  return async (program, args, options) => {
    if (options.patience === undefined) return once(program, args, options);
    const patience = { ...defaults(), ...options.patience };
    let waited: () => void = () => undefined;
    let attempts = 0;
    try {
      return await persist(
        async () => {
          attempts += 1;
          return { ...(await once(program, args, options)), attempts };
        },
        ({ end, count, waitedMs }) => {
          if (options.signal?.aborted === true) return null;
          const cause = causeOf(program, end, options);
          if (cause === null || count >= cause.most || waitedMs >= patience.patienceMs) return null;
          if (count === 1) {
            const reason = `${shownCommand(program, args.slice(-6))}: ${reasonOf(end)}`;
            waited = waits.begin(cause.what, reason.slice(0, 500));
          }
          return nextPause(patience, count);
        },
        options.signal,
      );
    } finally {
      waited();
    }
  };
}

function causeOf(program: string, end: Ended<CommandResult>, { patience }: CommandOptions): Cause | null {
  const what = end.ok ? patience?.passes?.(end.value) : undefined;
  if (what != null) return { what, most: Infinity };
  const answer = answerOf(program, end);
  if (answer === null || patience?.ifSaid?.test(answer.stderr) === false) return null;
  const row = passing(answer);
  return row === null ? null : { what: row.what, most: row.most ?? Infinity };
}

function answerOf(program: string, end: Ended<CommandResult>): Answer | null {
  if (end.ok) {
    const { exitCode, stderr } = end.value;
    return { program, exitCode, signal: null, late: false, stderr };
  }
  if (!(end.thrown instanceof CommandFailure)) return null;
  const { ending, stderr } = end.thrown;
  if (ending.how === 'killed') return { program, exitCode: null, signal: ending.signal, late: false, stderr };
  if (ending.how !== 'late') return null;
  return { program, exitCode: null, signal: null, late: true, stderr };
}

function reasonOf(end: Ended<CommandResult>): string {
  if (!end.ok) return asCephbackupError(end.thrown).message;
  return `${lastLine(end.value.stderr)} (exit code ${end.value.exitCode})`;
}

/** A program that tries again by itself is told of, and stopped where it may not take for ever: after this at least. */
const leastRetriesMs = 30_000;

function watchingRetries(exec: Exec, waits: Waits, defaults: () => Patience): Exec {
  return async (program, args, options) => {
    if (program !== retrying.program) return exec(program, args, options);
    const bounded = options.patience !== undefined && options.patience.ownRetries !== true;
    const limitMs = Math.max(options.patience?.patienceMs ?? defaults().patienceMs, leastRetriesMs);
    const watch = new RetryWatch(waits, bounded ? limitMs : null);
    try {
      const result = await exec(program, args, {
        ...options,
        onStderrLine: (line, stop) => {
          watch.see(line, stop);
          options.onStderrLine?.(line, stop);
        },
      });
      if (!watch.gaveUp) return result;
      const message = `${shownCommand(program, args)}: gave up after ${limitMs / 1000} s: ${watch.reason}`;
      const late = { how: 'late', exitCode: result.exitCode } as const;
      throw new CommandFailure('COMMAND_TIMEOUT', message, late, result.stderr);
    } finally {
      watch.end();
    }
  };
}

/** Follows a program that says when it tries again, and when that has helped. */
class RetryWatch {
  gaveUp = false;
  reason = '';
  #timer: NodeJS.Timeout | undefined;
  #waited: (() => void) | null = null;

  constructor(
    private readonly waits: Waits,
    /** Null: as long as it likes. */
    private readonly limitMs: number | null,
  ) {}

  see(line: string, stop: () => void): void {
    if (retrying.ends.test(line)) this.end();
    const reason = retrying.begins.exec(line)?.[1]?.trim();
    if (reason === undefined) return;
    this.reason = reason;
    if (this.#waited !== null) return;
    this.#waited = this.waits.begin(retrying.what, reason.slice(0, 500));
    if (this.limitMs === null) return;
    this.#timer = setTimeout(() => {
      this.gaveUp = true;
      stop();
    }, this.limitMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#waited?.();
    this.#waited = null;
  }
}
