import type { EpochMs } from '../log/time.js';
/** Both clocks a lease needs: one to write times that others read, one to measure how long something took. */
export interface Clock {
  /** Wall clock. */
  now(): EpochMs;
  /** Milliseconds since some moment; it never goes back, and is compared with nothing but itself. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
