import type { Claim, PersistentVolume } from '../kube/types.js';

/**
 * The snapshot that a PersistentVolume's annotations name as the proven backup of this very claim, or null: a volume
 * that was kept and bound to a new claim does not hand on the old one's.
 */
export function markedSnapshot({ pvc, pv }: Claim, prefix: string): string | null {
  return pv === null ? null : markedSnapshotOn(pv, pvc.metadata?.uid, prefix);
}

/** Full ids of all snapshots that volumes name as proven backups, also of claims that had the volumes before. */
export function markedIds(volumes: readonly PersistentVolume[], prefix: string): ReadonlySet<string> {
  const ids = volumes.map(({ metadata }) => metadata?.annotations?.[`${prefix}/last-snapshot`] ?? '');
  return new Set(ids.filter((id) => /^[0-9a-f]{64}$/.test(id)));
}

/** As `markedSnapshot`, of a volume and the UID of the claim that it belongs to. */
export function markedSnapshotOn(
  { metadata }: PersistentVolume,
  uid: string | undefined,
  prefix: string,
): string | null {
  const annotations = metadata?.annotations ?? {};
  const id = annotations[`${prefix}/last-snapshot`];
  const owner = annotations[`${prefix}/last-backup-claim`];
  if (typeof id !== 'string' || !/^[0-9a-f]{64}$/.test(id)) return null;
  return owner === uid ? id : null;
}
