import type { ErrorCode } from '../errors/catalogue.js';
import type { Attempt } from './attempt.js';
import type { PlannedVolume } from './types.js';

/**
 * The order in which volumes are listed and backed up: selected before others; never backed up before the oldest
 * backup; then by namespace and name, bytewise.
 */
export function inOrder(volumes: readonly PlannedVolume[]): PlannedVolume[] {
  return volumes
    .map((volume) => ({
      volume,
      time: volume.lastBackup === null ? -Infinity : Date.parse(volume.lastBackup),
      // Names have no NUL, which comes before every other byte.
      name: Buffer.from(`${volume.namespace}\0${volume.pvc}`),
    }))
    .sort(
      (a, b) =>
        Number(b.volume.backup) - Number(a.volume.backup) ||
        compare(a.time, b.time) ||
        Buffer.compare(a.name, b.name),
    )
    .map(({ volume }) => volume);
}

/**
 * The order in which volumes are begun: as listed, but whose last attempt took until time ran out has had its turn, and
 * comes after those who have waited longer. Else a volume that never ends would be first in every run, and keep the
 * others from theirs.
 *
 * @param lastAttempt milliseconds since 1970; null: none, or none that ran out of time
 */
export function inTurn(
  volumes: readonly PlannedVolume[],
  lastAttempt: (volume: PlannedVolume) => number | null,
): PlannedVolume[] {
  const turn = (volume: PlannedVolume) => {
    const backup = volume.lastBackup === null ? -Infinity : Date.parse(volume.lastBackup);
    return Math.max(backup, lastAttempt(volume) ?? -Infinity);
  };
  return volumes
    .map((volume) => ({ volume, time: turn(volume) }))
    .sort((a, b) => compare(a.time, b.time))
    .map(({ volume }) => volume);
}

const outOfTime: ReadonlySet<string> = new Set<ErrorCode>([
  'VOLUME_TIMEOUT',
  'COMMAND_TIMEOUT',
  'RUN_TIMEOUT',
  'CANCELLED',
]);

/** When a volume was begun that then took until time ran out; null for one that failed by itself, and left its slot to others. */
export function turnTaken({
  lastError,
  lastAttempt,
}: Pick<Attempt, 'lastError' | 'lastAttempt'>): number | null {
  return lastError !== null && outOfTime.has(lastError) ? lastAttempt : null;
}

function compare(a: number, b: number): number {
  return a < b ? -1 : Number(a > b);
}
