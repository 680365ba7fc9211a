import { asCephbackupError } from '../../errors/error.js';
import type { Leftover } from '../../ownership/scope.js';
import type { Attempt } from './attempt.js';

/**
 * Keeps the snapshot that unwinding has left as the base of the backup that is marked now, or removes it. A base that
 * could not be named is no failure of the backup: the next run reads everything.
 *
 * @param marked the backup's snapshot in the repository; null where there is none
 */
export async function settleBase(attempt: Attempt, marked: string | null): Promise<Leftover[]> {
  const base = attempt.futureBase;
  attempt.futureBase = null;
  if (base === null) return [];
  try {
    if (marked !== null) {
      await base.keep(marked);
      return [];
    }
  } catch (thrown) {
    attempt.warn(`the snapshot could not be kept as a base: ${asCephbackupError(thrown).message}`);
  }
  attempt.scope.add(base.resource, () => base.drop());
  return attempt.unwind();
}
