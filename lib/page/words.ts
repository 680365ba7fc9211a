import type { ClaimStatus, State } from '../plan/status.js';
import { age } from '../cli/output/table.js';
import { formatBytes } from '../log/quantity.js';

/** How a state is shown: its rank (the worst first) and its kind of colour. Unknown ones are shown as they are. */
interface Look {
  rank: number;
  tone: Tone;
}

export type Tone = 'good' | 'warn' | 'bad' | 'quiet';

const looks: Record<State, Look> = {
  missing: { rank: 0, tone: 'bad' },
  never: { rank: 1, tone: 'bad' },
  stale: { rank: 2, tone: 'warn' },
  ok: { rank: 4, tone: 'good' },
  'not-covered': { rank: 6, tone: 'quiet' },
};

/** A safe claim whose last attempt failed comes before the other safe ones; a gap in coverage before what was opted out. */
export function lookOf({ state, lastError, backup, covered, optedOutBy }: ClaimStatus): Look {
  if (backup && !covered) return { rank: 3, tone: 'bad' };
  if (state === 'ok' && lastError !== null) return { rank: 3, tone: 'warn' };
  if (state === 'not-covered' && optedOutBy === null) return { rank: 5, tone: 'quiet' };
  return looks[state];
}

/** `stale`, or `not covered` where a claim is to be backed up and cannot be. */
export function stateText({ state, backup, covered }: ClaimStatus): string {
  if (backup && !covered && state === 'never') return 'never, unsupported';
  return state.replace('-', ' ');
}

/** `512B`, `1.5GiB`. */
export function size(sizeBytes: number | null): string {
  return sizeBytes === null ? 'unknown' : `${formatBytes(sizeBytes)}B`;
}

/** `14h`, or `none`. */
export function ago(time: string | null, nowMs: number, none = 'never'): string {
  return time === null ? none : age(new Date(time), new Date(nowMs));
}

/** `2026-01-31 12:00 UTC` */
export function moment(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** `1 volume`, `2 volumes`; `1,234 volumes`. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : several}`;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return '0%';
  const value = (100 * part) / whole;
  // Neither all nor nothing unless it is.
  if (value > 99 && part < whole) return '>99%';
  return value < 1 && part > 0 ? '<1%' : `${Math.round(value)}%`;
}
