import { CephbackupError } from '../../lib/errors/error.js';
import type { CommandOptions, CommandResult } from '../../lib/tools/process/exec.js';

export const minuteMs = 60_000;

/** How long a command goes on that says something after each so long, and ends by itself after so many times. */
export interface Lasting {
  silentMs: number;
  times: number;
}

/** One that never says anything, nor ends. */
export const endless: Lasting = { silentMs: Infinity, times: 1 };

/**
 * The result of a command, or that it was ended by one of its limits, at once: no clock runs.
 * @throws CephbackupError COMMAND_TIMEOUT
 */
export function whereLimitsLet(
  { silentMs, times }: Lasting,
  { deadlineMs, silenceMs = Infinity }: Pick<CommandOptions, 'deadlineMs' | 'silenceMs'>,
  result: Partial<CommandResult> = {},
): CommandResult {
  // A week is no limit.
  const limitMs = Math.min(deadlineMs, silentMs > silenceMs ? silenceMs : Infinity);
  if (limitMs < 7 * 24 * 60 * minuteMs && limitMs < silentMs * times)
    throw new CephbackupError('COMMAND_TIMEOUT', `ended after ${limitMs / minuteMs} minutes`);
  if (!Number.isFinite(silentMs)) throw new Error('it would never end');
  return { exitCode: 0, stdout: '', stderr: '', seconds: 0, ...result };
}
