import { setTimeout as sleep } from 'node:timers/promises';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { PodCommandEnd } from '../kube/exec/exec.js';
import { retryDelay } from '../kube/retry.js';
import type { PodHook } from './plan.js';
import { runPost, type PostTools } from './post.js';
import { runHook } from './run-hook.js';
import { within } from './within.js';

export interface HoldTools extends PostTools {
  warn: (text: string) => void;
  signal: AbortSignal;
  /** Nobody is held for longer than this by what is done between the hooks. */
  limitMs: number;
  /** Is told, whatever went wrong, how long it was from the first pre's start to the last post's end. */
  held: (seconds: number) => void;
}

/** Between attempts at a pre that the API did not take, nobody else is held for longer. */
const prePatienceMs = 20_000;

/**
 * Runs `pre` in all pods one after the other, then `take`, then `post` in all of them at once: whatever happened before,
 * and also where `signal` was aborted, a `pre` that may have been begun is followed by its `post`.
 *
 * @throws CephbackupError HOOK_FAILED where a hook failed. If a pod may still be held its message names it, whatever
 *   else went wrong; else what `take` throws, or the reason of `signal`
 */
export async function hold<T>(
  tools: HoldTools,
  hooks: readonly PodHook[],
  take: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const held = new Set<PodHook>();
  let value: { of: T } | null = null;
  let failure: CephbackupError | null = null;
  const begun: PodHook[] = [];
  const tellWho = () => {
    if (begun.length === 0) return;
    const names = begun.map(nameOf).join(', ');
    tools.log.warn(`held, and let go now: ${names}; to end this program before that leaves them held`);
  };
  tools.signal.addEventListener('abort', tellWho, { once: true });
  try {
    for (const hook of hooks) {
      begun.push(hook);
      await runPre(tools, hook, held);
    }
    value = { of: await within(tools.limitMs, tooLong(tools.limitMs), tools.signal, take) };
  } catch (thrown) {
    failure = asCephbackupError(thrown);
  }
  // A pod whose turn did not come was not touched.
  const owed = hooks.filter((hook) => hook.post !== null && held.has(hook));
  const ends = await Promise.all(owed.map(async (hook) => ({ hook, problem: await runPost(tools, hook) })));
  tools.signal.removeEventListener('abort', tellWho);
  tools.held(Math.round(performance.now() - started) / 1000);
  const frozen = ends.filter(({ hook, problem }) => problem !== null && hook.pre !== null);
  for (const { hook, problem } of ends) {
    if (problem === null || hook.pre !== null) continue;
    const text = `the post-snapshot hook of ${nameOf(hook)} failed: ${problem}`;
    if (hook.onError === 'continue') tools.warn(text);
    else failure ??= new CephbackupError('HOOK_FAILED', text);
  }
  if (frozen.length > 0) throw stillHeld(frozen, failure);
  if (failure !== null || value === null)
    throw failure ?? new CephbackupError('INTERNAL', 'nothing was taken');
  return value.of;
}

async function runPre(tools: HoldTools, hook: PodHook, held: Set<PodHook>): Promise<void> {
  if (hook.problem !== null) {
    failed(tools, hook, `the hooks of ${nameOf(hook)} cannot be run: ${hook.problem}`);
    return;
  }
  if (hook.pre === null) {
    held.add(hook);
    return;
  }
  const end = await preUntilTaken(tools, hook, held);
  if (end.exitCode === 0) return;
  if (!held.has(hook) && (await tools.isThere(hook, tools.signal)) === false) {
    tools.warn(`${nameOf(hook)} went away before its pre-snapshot hook was run`);
    return;
  }
  if (tools.signal.aborted && mayGoOn(end) !== '')
    tools.warn(`the pre-snapshot hook of ${nameOf(hook)} was not waited for${mayGoOn(end)}`);
  tools.signal.throwIfAborted();
  failed(tools, hook, `the pre-snapshot hook of ${nameOf(hook)} failed: ${end.message}${mayGoOn(end)}`);
}

/** No node ends a command whose client is gone: what it does comes after its post then. */
function mayGoOn({ exitCode, mayHaveRun }: PodCommandEnd): string {
  if (exitCode !== null || !mayHaveRun) return '';
  return '; it may still be running, and hold the application after its post-snapshot hook was run: look at this pod';
}

/** The API may not take it at once. As soon as it may have been begun, its post is owed. */
async function preUntilTaken(tools: HoldTools, hook: PodHook, held: Set<PodHook>): Promise<PodCommandEnd> {
  const { signal } = tools;
  const started = performance.now();
  for (let count = 1; ; count += 1) {
    const end = await runHook(tools, hook, 'pre', signal);
    if (end.mayHaveRun) held.add(hook);
    const { failure } = end;
    if (failure === null || signal.aborted) return end;
    const delay = retryDelay({
      failure,
      // An answer that refuses is no sign of a command that was begun; a connection that broke is.
      repeatable: failure.kind === 'status',
      count,
      elapsedMs: performance.now() - started,
      patienceMs: prePatienceMs,
      jitter: Math.random(),
    });
    if (delay === null) return end;
    await sleep(delay, undefined, { signal }).catch(() => undefined);
  }
}

function failed({ warn }: HoldTools, { onError }: PodHook, text: string): void {
  if (onError === 'fail') throw new CephbackupError('HOOK_FAILED', text);
  warn(text);
}

function stillHeld(
  frozen: readonly { hook: PodHook; problem: string | null }[],
  cause: CephbackupError | null,
): CephbackupError {
  const named = frozen.map(({ hook, problem }) => `${nameOf(hook)} (${problem ?? ''})`).join(', ');
  const before = cause === null ? '' : `; before that: ${cause.message}`;
  return new CephbackupError(
    'HOOK_FAILED',
    `may still be held, because the post-snapshot hook did not succeed: ${named}${before}`,
    {
      guidance: 'Look at these pods now, and do by hand what their post-snapshot hook would have done.',
      cause,
    },
  );
}

function tooLong(limitMs: number): CephbackupError {
  const text = `no snapshot after ${limitMs / 1000} s, and nobody's application is held for longer`;
  return new CephbackupError('HOOK_FAILED', text);
}

function nameOf({ namespace, pod }: PodHook): string {
  return `pod ${namespace}/${pod}`;
}
