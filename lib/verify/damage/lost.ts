import { rfc3339, type EpochMs } from '../../log/time.js';
import type { Backup } from '../../repository/claims.js';
import type { ClaimIdentity } from '../report.js';

/** A snapshot that there was, and that cannot be read any more. */
export interface LostSnapshot {
  /** Full id. */
  id: string;
  how: 'missing' | 'unreadable';
  /** Whose it was, as far as that is known. */
  claim: (ClaimIdentity & { kind: string | null }) | null;
  time: EpochMs | null;
}

/** A volume as its annotations describe its backup. */
export interface MarkedVolume extends ClaimIdentity {
  pv: string;
  /** Full id of the snapshot that is marked as the claim's backup. */
  markedSnapshot: string | null;
  markedTime: EpochMs | null;
  lastVerified: number | null;
}

export interface Known {
  /** Ids of the snapshots that the repository lists, also those that they had before they were rewritten. */
  listed: ReadonlySet<string>;
  /** Ids of the snapshots whose files cannot be read. */
  unreadable: readonly string[];
  /** What the local cache still knows of those. */
  remembered: readonly Backup[];
  volumes: readonly MarkedVolume[];
}

/** Snapshots that volumes name and the repository does not have, and those whose files are damaged. */
export function lostSnapshots({ listed, unreadable, remembered, volumes }: Known): LostSnapshot[] {
  const marked = new Map(
    volumes.flatMap((volume) => (volume.markedSnapshot === null ? [] : [[volume.markedSnapshot, volume]])),
  );
  const missing = [...marked.keys()].filter((id) => !listed.has(id) && !unreadable.includes(id));
  const lost =
    (how: LostSnapshot['how']) =>
    (id: string): LostSnapshot => {
      const backup = remembered.find((one) => one.id === id);
      if (backup !== undefined) {
        const { cluster, namespace, pvc, uid, kind, time } = backup;
        return { id, how, claim: { cluster, namespace, pvc, uid, kind }, time };
      }
      const volume = marked.get(id);
      if (volume === undefined) return { id, how, claim: null, time: null };
      const { cluster, namespace, pvc, uid, markedTime: time } = volume;
      return { id, how, claim: { cluster, namespace, pvc, uid, kind: null }, time };
    };
  return [...unreadable.map(lost('unreadable')), ...missing.map(lost('missing'))];
}

export function describeLost({ id, how, time }: LostSnapshot): string {
  const when = time === null ? '' : ` of ${rfc3339(time)}`;
  return how === 'missing'
    ? `the snapshot ${id}${when}, which the volume names as its last backup, is not in the repository`
    : `the file of the snapshot ${id}${when} is damaged`;
}
