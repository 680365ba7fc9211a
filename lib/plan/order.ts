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

function compare(a: number, b: number): number {
  return a < b ? -1 : Number(a > b);
}
