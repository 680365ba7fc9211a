import { CephbackupError } from '../../errors/error.js';
import { grace } from '../../waiting/deadline.js';
import type { Exec } from './exec.js';

/**
 * After a program was told to end, undoing what it has made may take so long: less than the 180 s after which the chart's
 * pod is killed. What is not undone by then is named, and removed by the next run.
 */
export const unwindingMs = 120_000;

/**
 * An `Exec` whose commands end at the latest `budgetMs` after `ended` is aborted, also those that nobody else would end
 * because they undo something. Those that begin later end at once.
 */
export function endingInTime(exec: Exec, ended: AbortSignal, budgetMs = unwindingMs): Exec {
  const late = () =>
    new CephbackupError(
      'COMMAND_TIMEOUT',
      `was not done ${budgetMs / 1000} s after the program was told to end`,
    );
  const over = grace(ended, budgetMs, late);
  return async (program, args, options) => {
    // Not AbortSignal.any: of a signal that lives as long as the program it remembers each command.
    const own = new AbortController();
    const signals = [over.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const forget = signals.map((signal) => {
      const pass = () => {
        own.abort(signal.reason);
      };
      if (signal.aborted) pass();
      else signal.addEventListener('abort', pass, { once: true });
      return () => {
        signal.removeEventListener('abort', pass);
      };
    });
    try {
      return await exec(program, args, { ...options, signal: own.signal });
    } finally {
      for (const one of forget) one();
    }
  };
}
