import { CephbackupError } from '../errors/error.js';
import { rfc3339 } from '../log/time.js';
import type { ClockReading } from './api.js';

/** Milliseconds. */
const mostSkew = 5 * 60_000;
/** The API tells whole seconds. */
const precision = 1_000;

/**
 * Refuses a clock that differs from the API server's by more than 5 minutes: which of the two is wrong cannot be told.
 * @throws CephbackupError CLOCK_WRONG
 */
export function refuseWrongClock(reading: ClockReading | null): void {
  if (reading === null) return;
  const { server, local } = reading;
  const skew = local < server ? server - local : local - server - precision;
  if (skew <= mostSkew) return;
  const [here, there] = [rfc3339(local), rfc3339(server)];
  throw new CephbackupError('CLOCK_WRONG', `it is ${here} here, but ${there} for the Kubernetes API`);
}
