import { setTimeout as sleep } from 'node:timers/promises';
import type { PodExec } from '../kube/exec/exec.js';
import { retryDelay } from '../kube/retry.js';
import type { Logger } from '../log/logger.js';
import type { PodHook } from './plan.js';
import { runHook } from './run-hook.js';

export interface PostTools {
  exec: PodExec;
  /** Whether the pod is still there and running; null where the API does not say. */
  isThere: (hook: PodHook, signal: AbortSignal) => Promise<boolean | null>;
  log: Logger;
  /** After which a post that has not succeeded is not begun again. */
  patienceMs: number;
}

/** A command that ends with another exit code than 0 may have met something that passes. */
const attemptsWithExitCode = 3;
const pauseMs = 1_000;

/**
 * Runs a pod's `post` until it has succeeded or patience ends, whatever becomes of the run meanwhile. It may be run
 * more than once.
 *
 * @returns why it did not succeed, in words; null where it did
 */
export async function runPost(tools: PostTools, hook: PodHook): Promise<string | null> {
  const { log, patienceMs } = tools;
  const bound = new AbortController();
  const timer = setTimeout(() => {
    bound.abort();
  }, patienceMs + hook.timeoutMs);
  const started = performance.now();
  try {
    for (let count = 1; ; count += 1) {
      const end = await runHook(tools, hook, 'post', bound.signal);
      if (end.exitCode === 0) return null;
      const { signal } = bound;
      if ((await tools.isThere(hook, signal)) === false)
        return `${end.message}; the pod is gone, or was made anew`;
      const elapsed = performance.now() - started;
      const delay = delayMs({ ...end, count, elapsedMs: elapsed, patienceMs });
      if (delay === null)
        return count === 1 ? end.message : `${end.message}, at the last of ${count} attempts`;
      log.warn(`post-snapshot of pod ${hook.pod}: ${end.message}; trying again`, { delayMs: delay });
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    clearTimeout(timer);
  }
}

function delayMs({
  failure,
  exitCode,
  count,
  elapsedMs,
  patienceMs,
}: {
  failure: Parameters<typeof retryDelay>[0]['failure'] | null;
  exitCode: number | null;
  count: number;
  elapsedMs: number;
  patienceMs: number;
}): number | null {
  // Whatever it was that broke a connection, the next one may not break.
  if (failure !== null && failure.kind === 'status') {
    const attempt = {
      failure,
      repeatable: true,
      count,
      elapsedMs,
      patienceMs,
      jitter: Math.random(),
    };
    return retryDelay(attempt);
  }
  if (exitCode !== null && count >= attemptsWithExitCode) return null;
  return elapsedMs + pauseMs < patienceMs ? pauseMs : null;
}
