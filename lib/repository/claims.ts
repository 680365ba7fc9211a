import { tagValue } from './tags.js';
import type { ResticSnapshot } from '../tools/restic/restic.js';

/** One backup of one claim: a snapshot, read by its tags. */
export interface Backup {
  /** Full snapshot id. */
  id: string;
  /** The point in time, milliseconds since the epoch. */
  time: number;
  /** The tag `cluster=`. */
  cluster: string;
  namespace: string;
  pvc: string;
  /** The claim's UID: two claims of one name are two claims. */
  uid: string;
  pv: string | null;
  kind: string;
  /** Bytes that restic read; null where an old restic did not record them. */
  sizeBytes: number | null;
}

/** All backups of one claim, oldest first; never empty. */
export interface StoredClaim {
  cluster: string;
  namespace: string;
  pvc: string;
  uid: string;
  backups: [Backup, ...Backup[]];
}

/** The backups of claims among all snapshots of a repository, which may hold others as well. */
export function backupsOf(snapshots: readonly ResticSnapshot[]): Backup[] {
  return snapshots.flatMap(({ id, time, tags, summary }) => {
    const [cluster, namespace, pvc, uid, kind] = ['cluster', 'namespace', 'pvc', 'uid', 'kind'].map((name) =>
      tagValue(tags, name),
    );
    if (!cluster || !namespace || !pvc || !uid || !kind) return [];
    const pv = tagValue(tags, 'pv');
    const sizeBytes = summary?.bytesProcessed ?? null;
    return {
      id,
      time: Date.parse(time),
      cluster,
      namespace,
      pvc,
      uid,
      pv: pv === '' ? null : pv,
      kind,
      sizeBytes,
    };
  });
}

/** By claim: by namespace and name, bytewise; claims of one name by the age of their newest backup, newest last. */
export function groupByClaim(backups: readonly Backup[]): StoredClaim[] {
  const claims = new Map<string, StoredClaim>();
  const ordered = backups.toSorted((a, b) => a.time - b.time || compare(a.id, b.id));
  for (const backup of ordered) {
    const { cluster, namespace, pvc, uid } = backup;
    const key = `${cluster}\n${uid}`;
    const claim = claims.get(key);
    if (claim === undefined) claims.set(key, { cluster, namespace, pvc, uid, backups: [backup] });
    else claim.backups.push(backup);
  }
  return [...claims.values()].toSorted(
    (a, b) =>
      compare(a.namespace, b.namespace) ||
      compare(a.pvc, b.pvc) ||
      newest(a).time - newest(b).time ||
      compare(a.uid, b.uid),
  );
}

export function newest({ backups }: StoredClaim): Backup {
  return backups.at(-1) ?? backups[0];
}

/** Kubernetes' names are ASCII, so the order of UTF-16 units is that of bytes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
