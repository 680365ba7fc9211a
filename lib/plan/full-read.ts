import { createHash } from 'node:crypto';
import type { EpochMs } from '../log/time.js';

/**
 * Every claim has moments of its own, one each `everyMs`, so that the full reads of many fall on different days.
 * @returns whether such a moment lies between the two
 */
export function momentBetween(uid: string, from: EpochMs, to: EpochMs, everyMs: number): boolean {
  if (everyMs === 0) return false;
  const share = parseInt(createHash('sha256').update(uid).digest('hex').slice(0, 8), 16) / 2 ** 32;
  const period = (time: EpochMs) => Math.floor(time / everyMs + share);
  return period(from) !== period(to);
}

export interface FullReadQuestion {
  uid: string;
  /** When the previous backup was made; null where there is none. */
  backedUp: EpochMs | null;
  /** When the last attempt began, which may have failed; null where none is known. */
  attempted: EpochMs | null;
  now: EpochMs;
  /** 0: never. */
  everyMs: number;
}

/**
 * Whether the files of a volume are read without believing the previous backup. It is tried once at each of the claim's
 * moments: a volume that cannot be read in the time that it has would else have no backup from then on.
 */
export function filesAreDue({ uid, backedUp, attempted, now, everyMs }: FullReadQuestion): boolean {
  if (backedUp === null) return false;
  return momentBetween(uid, Math.max(backedUp, attempted ?? 0), now, everyMs);
}
