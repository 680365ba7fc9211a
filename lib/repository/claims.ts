import type { EpochMs } from '../log/time.js';
import { counts, judge, type Marks, type Proof } from './proofs.js';
import { tagValue } from './tags.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';

/** One backup of one claim: a snapshot, read by its tags. */
export interface Backup {
  /** Full snapshot id. */
  id: string;
  /** The point in time that it holds. */
  time: EpochMs;
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
  /** Only what `counts` is taken, unless it is named. */
  proof: Proof;
}

/** All snapshots of one claim, proven or not, oldest first; never empty. */
export interface StoredClaim {
  cluster: string;
  namespace: string;
  pvc: string;
  uid: string;
  backups: [Backup, ...Backup[]];
}

/**
 * The backups of claims among all snapshots of a repository, which may hold others as well, and what is known of each.
 * @param marks of the cluster that this program speaks with; null where there are none
 */
export function backupsOf(snapshots: readonly ResticSnapshot[], marks: Marks | null): Backup[] {
  const proofOf = judge(snapshots, marks);
  return snapshots.flatMap((snapshot) => {
    const { id, time, tags, summary } = snapshot;
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
      proof: proofOf(snapshot),
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

/** The newest snapshot, proven or not. */
export function newest({ backups }: StoredClaim): Backup {
  return backups.at(-1) ?? backups[0];
}

/** The newest one that counts: what `restore`, `manifests`, `verify` and all others mean by a claim's last backup. */
export function newestProven({ backups }: StoredClaim): Backup | null {
  return backups.findLast(({ proof }) => counts(proof)) ?? null;
}

/** Snapshots newer than the last backup, which no command takes unless they are named. */
export function passedOver(claim: StoredClaim): Backup[] {
  const last = newestProven(claim);
  return last === null ? claim.backups : claim.backups.slice(claim.backups.indexOf(last) + 1);
}

/** Kubernetes' names are ASCII, so the order of UTF-16 units is that of bytes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
