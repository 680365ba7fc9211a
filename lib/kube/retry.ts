/** Why one attempt at a request did not succeed. */
export type Failure =
  | { kind: 'status'; status: number; /** Milliseconds. */ retryAfter: number | null }
  /** `code` is Node's (`ECONNRESET`); `TIMEOUT` is this program's own. */
  | { kind: 'network'; code: string };

export interface Attempt {
  failure: Failure;
  /** Whether the request may be carried out twice: it is not known whether the first attempt was. */
  repeatable: boolean;
  /** How many attempts there were, from 1. */
  count: number;
  /** Since the first attempt began. */
  elapsedMs: number;
  /** No further attempt is begun after so long. */
  patienceMs: number;
  /** Between 0 and 1: spreads the attempts of many clients. */
  jitter: number;
}

const firstDelay = 250;
const longestDelayMs = 5_000;

/** The request did not reach the server, or it was turned away at the door. */
const notCarriedOut = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
/** The connection broke, so the request may have been carried out. */
const maybeCarriedOut = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'TIMEOUT']);

/** Whether a request that failed with this code of Node's cannot have been carried out. */
export function reachedNobody(code: string): boolean {
  return notCarriedOut.has(code);
}

/** Milliseconds to wait before the next attempt; null where there must be none. */
export function retryDelay(attempt: Attempt): number | null {
  const { failure, count, elapsedMs, patienceMs, jitter } = attempt;
  if (!worthRepeating(failure, attempt.repeatable)) return null;
  const backoff = Math.min(firstDelay * 2 ** (count - 1), longestDelayMs);
  const asked = failure.kind === 'status' ? (failure.retryAfter ?? 0) : 0;
  const delay = Math.max(backoff * (0.5 + jitter / 2), asked);
  return elapsedMs + delay < patienceMs ? Math.round(delay) : null;
}

function worthRepeating(failure: Failure, repeatable: boolean): boolean {
  if (failure.kind === 'network') {
    return notCarriedOut.has(failure.code) || (repeatable && maybeCarriedOut.has(failure.code));
  }
  if (failure.status === 429) return true;
  return repeatable && (failure.status === 408 || failure.status >= 500);
}

/** `Retry-After` in milliseconds: seconds, or an HTTP date compared with the answer's own `Date`. */
export function parseRetryAfter(value: string | undefined, date: string | undefined): number | null {
  if (value === undefined) return null;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  if (!value.endsWith(' GMT')) return null;
  const wait = Date.parse(value) - Date.parse(date ?? '');
  return Number.isNaN(wait) ? null : Math.max(0, wait);
}
