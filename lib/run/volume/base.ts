import { asCephbackupError } from '../../errors/error.js';
import type { Leftover } from '../../ownership/scope.js';
import type { FutureBase } from '../../repository/source.js';
import type { Attempt } from './attempt.js';

/**
 * Keeps the snapshot that unwinding has left as the base of the backup that is marked now, and removes older ones; or
 * removes it. A base that could not be named is no failure of the backup: the next run reads everything.
 *
 * @param marked the backup's snapshot in the repository; null where there is none
 * @param left what unwinding has left
 * @returns what is left now
 */
export async function settleBase(
  attempt: Attempt,
  marked: string | null,
  left: Leftover[],
): Promise<Leftover[]> {
  const base = attempt.futureBase;
  attempt.futureBase = null;
  if (base === null) return left;
  const gone = marked === null ? [dropped(base)] : await kept(attempt, base, marked);
  if (gone.length === 0) return left;
  for (const { resource, release } of gone) attempt.scope.add(resource, release);
  return attempt.unwind();
}

/** @returns what is to go */
async function kept(attempt: Attempt, base: FutureBase, marked: string): ReturnType<FutureBase['keep']> {
  try {
    return await base.keep(marked);
  } catch (thrown) {
    attempt.warn(`the snapshot could not be kept as a base: ${asCephbackupError(thrown).message}`);
    return [dropped(base)];
  }
}

function dropped(base: FutureBase) {
  return { resource: base.resource, release: () => base.drop() };
}
