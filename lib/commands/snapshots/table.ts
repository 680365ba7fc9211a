import { formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';
import type { Proof } from '../../repository/proofs.js';

/** What `snapshots` prints: a stable format, times RFC 3339 UTC, newest last. */
export interface SnapshotsReport {
  claims: {
    cluster: string;
    namespace: string;
    pvc: string;
    uid: string;
    /** Whether the claim still exists; null where that is not known. */
    exists: boolean | null;
    snapshots: {
      id: string;
      time: string;
      kind: string;
      sizeBytes: number | null;
      pv: string | null;
      /** `untold`: made by a release that kept no record of proofs; it counts as a proven one does. `image`: a disk whose files could not be backed up. */
      proof: Proof;
    }[];
  }[];
  warnings: string[];
}

const existence = new Map([
  [true, 'yes'],
  [false, 'no'],
  [null, '<unknown>'],
]);

const proofs: Record<Proof, string> = {
  proven: 'yes',
  untold: '<untold>',
  unproven: 'no',
  image: 'image',
  changed: 'changed',
};

/** One line a snapshot. The cluster is shown where it is not the one that this program speaks with. */
export function snapshotsTable(
  { claims }: SnapshotsReport,
  own: string | null,
  width: number | null = null,
): string {
  if (claims.length === 0) return 'No backups.\n';
  const foreign = claims.some(({ cluster }) => cluster !== own);
  const headers = ['NAMESPACE', 'PVC', 'UID', 'EXISTS', 'SNAPSHOT', 'TIME', 'KIND', 'SIZE', 'PROVEN'];
  const rows = claims.flatMap(({ cluster, namespace, pvc, uid, exists, snapshots }) =>
    snapshots.map(({ id, time, kind, sizeBytes, proof }) => [
      ...(foreign ? [cluster] : []),
      namespace,
      pvc,
      uid,
      existence.get(exists) ?? '',
      id.slice(0, 8),
      time,
      kind,
      sizeBytes === null ? '<unknown>' : formatBytes(sizeBytes),
      proofs[proof],
    ]),
  );
  return formatTable([...(foreign ? ['CLUSTER'] : []), ...headers], rows, {
    width,
    givesWay: ['UID', 'KIND', 'SIZE', 'EXISTS'],
  });
}
