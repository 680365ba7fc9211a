import { unlessNone } from '../../../cli/values.js';

/**
 * Longer than what can be read in a day's run takes, and shorter than a day: a volume that never ends, of holes or of a
 * disk that hangs, leaves its slot to others and is marked as failed before the next run begins. What restic has saved
 * until then need not be saved again.
 */
export const defaultVolumeTimeoutHours = 20;

/** The limit for each volume; null: none. */
export function volumeTimeoutMs({ volumeTimeout }: { volumeTimeout: number | null }): number | null {
  return unlessNone(volumeTimeout ?? defaultVolumeTimeoutHours * 3_600_000);
}
