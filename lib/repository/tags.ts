import type { PlannedVolume } from '../plan/types.js';

/** The six tags of a claim's snapshots: never more, because `restic forget` groups by the exact set. */
export function claimTags(cluster: string, volume: PlannedVolume): string[] {
  const { namespace, pvc, uid, pv, kind } = volume;
  return [
    `cluster=${cluster}`,
    `namespace=${namespace}`,
    `pvc=${pvc}`,
    `uid=${uid}`,
    `pv=${pv ?? ''}`,
    `kind=${kind ?? ''}`,
  ];
}

/** The value of one tag of a snapshot, e.g. `tagValue(tags, 'uid')`. */
export function tagValue(tags: readonly string[], name: string): string | null {
  const prefix = `${name}=`;
  return tags.find((tag) => tag.startsWith(prefix))?.slice(prefix.length) ?? null;
}
