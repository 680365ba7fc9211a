import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import { CommandFailure, type Ending } from './ending.js';
import type { CommandOptions } from './exec.js';
import type { FlowFailure } from './flow.js';

const longestShown = 1_000;

interface Told {
  shown: string;
  /** What it wrote to stderr. */
  output: string;
  options: CommandOptions;
  stdoutLimitBytes: number;
}

/**
 * The exit code of a command that ended by itself, or because the caller had seen enough. A command that failed by itself
 * says more than the flow that it cut short, unless the flow failed first.
 * @throws what else its end means
 */
export function exitCodeOf(ending: Ending, failure: FlowFailure | undefined, told: Told): number {
  const { shown, output, options, stdoutLimitBytes } = told;
  const said = output.trim() === '' ? '' : `: ${lastLine(output)}`;
  const failed = (code: 'COMMAND_FAILED' | 'COMMAND_TIMEOUT', what: string) =>
    new CommandFailure(code, `${shown}: ${what}`, ending, output);
  switch (ending.how) {
    case 'stuck':
      throw failed(
        'COMMAND_TIMEOUT',
        ending.outlived
          ? 'has ended, but something that it started holds its output open'
          : 'does not end, not even after SIGKILL',
      );
    case 'exited':
      if (failure !== undefined && (failure.first || ending.exitCode === 0)) throw failure.error;
      return ending.exitCode;
    case 'unstartable':
      if (failure?.first === true) throw failure.error;
      throw failed('COMMAND_FAILED', `could not be started: ${lastLine(output)}`);
    case 'killed':
      if (failure?.first === true) throw failure.error;
      throw failed('COMMAND_FAILED', `was killed by ${ending.signal}: ${lastLine(output)}`);
    case 'aborted':
      throw abortReason(options.signal);
    case 'silent':
      throw failed(
        'COMMAND_TIMEOUT',
        `made no progress for ${Math.round((options.silenceMs ?? 0) / 1000)} s`,
      );
    case 'late':
      throw failed('COMMAND_TIMEOUT', `not finished after ${Math.round(options.deadlineMs / 1000)} s${said}`);
    case 'overflowed':
      if (failure?.first === true) throw failure.error;
      throw failed('COMMAND_FAILED', `printed more than ${stdoutLimitBytes} bytes`);
    case 'enough':
      if (failure !== undefined) throw failure.error;
      return ending.exitCode ?? 130;
  }
}

function abortReason(signal: AbortSignal | undefined): unknown {
  return signal?.reason ?? new CephbackupError('CANCELLED', 'stopped');
}

/** A command as messages and the log show it. */
export function shownCommand(program: string, args: readonly string[]): string {
  return printable([program, ...args].join(' ')).slice(0, longestShown);
}

/** The last line that says something, for an error message. */
export function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return printable(lines.at(-1) ?? 'no message').slice(0, 500);
}
