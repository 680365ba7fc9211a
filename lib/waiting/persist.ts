import { setTimeout as sleep } from 'node:timers/promises';

/** How one attempt ended. */
export type Ended<T> = { ok: true; value: T } | { ok: false; thrown: unknown };

export interface Tried<T> {
  end: Ended<T>;
  /** How many attempts there were, from 1. */
  count: number;
  /** Since the first attempt began. */
  elapsedMs: number;
  /** Since the first attempt ended: what took long by itself is no waiting. */
  waitedMs: number;
}

/** Milliseconds until the next attempt; null where this end stands. */
export type Again<T> = (tried: Tried<T>) => number | null | Promise<number | null>;

/** How long, and how often, something is tried again. */
export interface Patience {
  /** No further attempt is begun after so long. */
  patienceMs: number;
  /** Between the first two attempts; each further pause is twice as long. */
  intervalMs: number;
  /** What a pause grows to at most. */
  longestIntervalMs: number;
}

/**
 * Tries again as long as `again` says, and returns, or throws, what the last attempt came to.
 * @throws also the reason of `signal`, as soon as that aborts a pause
 */
export async function persist<T>(
  attempt: () => Promise<T>,
  again: Again<T>,
  signal?: AbortSignal,
): Promise<T> {
  const began = performance.now();
  let firstEnd: number | null = null;
  for (let count = 1; ; count += 1) {
    const end = await settle(attempt);
    const now = performance.now();
    firstEnd ??= now;
    const pauseMs = await again({ end, count, elapsedMs: now - began, waitedMs: now - firstEnd });
    if (pauseMs === null) {
      if (end.ok) return end.value;
      throw end.thrown;
    }
    await pause(pauseMs, signal);
  }
}

/** For `persist`: a failure is tried again while it is one that passes, and patience lasts. */
export function whilePassing<T>(
  passes: (failure: unknown) => boolean | Promise<boolean>,
  patience: Patience,
): Again<T> {
  return async ({ end, count, waitedMs }) => {
    if (end.ok || waitedMs >= patience.patienceMs || !(await passes(end.thrown))) return null;
    return nextPause(patience, count);
  };
}

/** Milliseconds between attempt number `count` and the next. */
export function nextPause({ intervalMs, longestIntervalMs }: Patience, count: number): number {
  return Math.min(intervalMs * 2 ** (count - 1), longestIntervalMs);
}

/** Always the same pause. */
export function steady(patienceMs: number, intervalMs: number): Patience {
  return { patienceMs, intervalMs, longestIntervalMs: intervalMs };
}

/** @throws the reason of `signal` as soon as it is aborted */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}

async function settle<T>(attempt: () => Promise<T>): Promise<Ended<T>> {
  try {
    return { ok: true, value: await attempt() };
  } catch (thrown) {
    return { ok: false, thrown };
  }
}
