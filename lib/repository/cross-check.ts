import { markedSnapshot } from '../plan/marks.js';
import type { Stored } from '../plan/status.js';
import type { PlannedVolume } from '../plan/types.js';
import { rfc3339 } from '../log/time.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';
import { counts, judge, type Marks } from './proofs.js';
import { tagValue } from './tags.js';

/**
 * Compares the marks on PersistentVolumes with the snapshots of their cluster, by the UID of the claim, and asks of each
 * what every command asks. A snapshot whose file cannot be read is not among them: it counts as gone.
 *
 * @param marks of the cluster
 * @param prefix of their annotations
 */
export function crossCheck(
  snapshots: readonly ResticSnapshot[],
  marks: Marks,
  prefix: string,
): (volume: PlannedVolume) => Stored {
  const { cluster } = marks;
  const proofOf = judge(snapshots, marks);
  const byUid = new Map<string, ResticSnapshot[]>();
  for (const snapshot of snapshots) {
    const uid = tagValue(snapshot.tags, 'uid');
    if (uid === null || tagValue(snapshot.tags, 'cluster') !== cluster) continue;
    const known = byUid.get(uid);
    if (known === undefined) byUid.set(uid, [snapshot]);
    else known.push(snapshot);
  }
  return ({ uid, claim, lastBackup }) => {
    const own = byUid.get(uid) ?? [];
    // A disk that was saved because its files could not be is no newer backup.
    const backups = own.filter((snapshot) => proofOf(snapshot) !== 'image');
    const newest = backups.reduce<ResticSnapshot | null>(
      (found, one) => (found === null || Date.parse(one.time) > Date.parse(found.time) ? one : found),
      null,
    );
    const marked = markedSnapshot(claim, prefix);
    // `restic copy`, `rewrite` and `tag` give a snapshot another id, and keep the first one.
    const isMarked = ({ id, original }: ResticSnapshot) => id === marked || original === marked;
    const valid = own.filter((snapshot) => counts(proofOf(snapshot)));
    // A mark that names no snapshot, of a predecessor say, needs one all the same.
    const isMissing = marked === null ? lastBackup !== null && valid.length === 0 : !valid.some(isMarked);
    return {
      snapshots: own.length,
      newestSnapshot: newest?.id ?? null,
      newestTime: newest === null ? null : rfc3339(Date.parse(newest.time)),
      sizeBytes: newest?.summary?.bytesProcessed ?? null,
      problem: isMissing
        ? 'mark-without-snapshot'
        : newest !== null && !isMarked(newest) && proofOf(newest) !== 'proven'
          ? 'snapshot-without-mark'
          : null,
    };
  };
}
