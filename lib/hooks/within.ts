import type { CephbackupError } from '../errors/error.js';
import { deadline } from '../waiting/deadline.js';

/**
 * What `work` comes to, if it comes before `limitMs` have passed and `signal` is aborted: at that moment this rejects
 * with `late` or with the signal's reason, whether `work` ends or not.
 */
export async function within<T>(
  limitMs: number,
  late: CephbackupError,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = deadline(limitMs, () => late, signal);
  try {
    limit.signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      limit.signal.addEventListener('abort', () => {
        reject(limit.signal.reason as Error);
      });
    });
    return await Promise.race([work(limit.signal), aborted]);
  } finally {
    limit.clear();
  }
}
