import type { PlannedVolume } from '../plan/types.js';
import { behind } from './prefixed.js';

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

const claimTagNames = ['cluster', 'namespace', 'pvc', 'uid', 'pv', 'kind'];
const manifestTagNames = ['cluster', 'kind'];

/** Whether these are the tags of a claim's snapshot and no other: somebody's own tag makes a snapshot theirs. */
export function areClaimTags(tags: readonly string[]): boolean {
  return areNamed(tags, claimTagNames);
}

/** The same, of a snapshot of manifests. */
export function areManifestTags(tags: readonly string[]): boolean {
  return areNamed(tags, manifestTagNames);
}

function areNamed(tags: readonly string[], names: readonly string[]): boolean {
  return tags.length === names.length && names.every((name) => tagValue(tags, name) !== null);
}

/** The value of one tag of a snapshot, e.g. `tagValue(tags, 'uid')`. */
export function tagValue(tags: readonly string[], name: string): string | null {
  return behind(tags, `${name}=`);
}
