import { CephbackupError } from '../errors/error.js';
import { rfc3339 } from '../log/time.js';
import type { ClockReading } from './api.js';

const mostSkewMs = 5 * 60_000;
const noticeableSkewMs = 30_000;
/** The API tells whole seconds. */
const precisionMs = 1_000;

/**
 * Refuses a clock that differs from the API server's by more than 5 minutes: which of the two is wrong cannot be told.
 * Backups are dated by this clock, and retention goes by their dates.
 *
 * @param warn is told of more than 30 seconds, and of an API that tells no time
 * @throws CephbackupError CLOCK_WRONG
 */
export function checkClock(reading: ClockReading | null, warn: (text: string) => void): void {
  if (reading === null) {
    warn('the Kubernetes API tells no time: whether the clock here is right is not known');
    return;
  }
  const { server, local } = reading;
  const skewMs = local < server ? server - local : local - server - precisionMs;
  const message = `it is ${rfc3339(local)} here, but ${rfc3339(server)} for the Kubernetes API`;
  if (skewMs > mostSkewMs) throw new CephbackupError('CLOCK_WRONG', message);
  if (skewMs > noticeableSkewMs) warn(message);
}
