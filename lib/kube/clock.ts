/** Both clocks a lease needs: one to write times that others read, one to measure how long something took. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment; it never goes back, and is compared with nothing but itself. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
