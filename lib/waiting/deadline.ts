import { setMaxListeners } from 'node:events';
import type { CephbackupError } from '../errors/error.js';

/** The longest that a timer takes, 24 days: for what ends by another deadline, or by an abort. */
export const unlimitedMs = 2 ** 31 - 1;

/** For a command that asks something, or moves metadata; a dead client's session, which can hold up Ceph, lasts 60 s. */
export const queryDeadlineMs = 120_000;

/**
 * A command that changes something in Ceph may go on for so long when it is told to end: many times what it takes, and
 * less than the half minute for which the watch of a client that was ended stays.
 */
export const finishingMs = 15_000;

export interface Deadline {
  signal: AbortSignal;
  /** Stops the clock. */
  clear(): void;
}

/** A signal that aborts with `error` after `milliseconds` (null: never), or with the reason of `parent`. */
export function deadline(ms: number | null, error: () => CephbackupError, parent: AbortSignal): Deadline {
  const own = new AbortController();
  const timer =
    ms === null
      ? undefined
      : setTimeout(
          () => {
            own.abort(error());
          },
          Math.min(ms, unlimitedMs),
        );
  const signal = AbortSignal.any([parent, own.signal]);
  setMaxListeners(0, signal);
  return {
    signal,
    clear: () => {
      clearTimeout(timer);
    },
  };
}

/** A signal that aborts with `error` so many milliseconds after `ended` did; the program does not go on for it. */
export function grace(ended: AbortSignal, ms: number, error: () => CephbackupError): Deadline {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(() => {
      over.abort(error());
    }, ms).unref();
  };
  if (ended.aborted) begin();
  else ended.addEventListener('abort', begin, { once: true });
  return {
    signal: over.signal,
    clear: () => {
      ended.removeEventListener('abort', begin);
      clearTimeout(timer);
    },
  };
}
