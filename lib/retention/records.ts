import { entriesOf } from '../repository/proofs.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';

/** The records of proofs that tell of any of these snapshots, by id. */
export function neededRecords(
  records: readonly ResticSnapshot[],
  kept: readonly ResticSnapshot[],
): ReadonlySet<string> {
  const ids = new Set(
    kept.flatMap(({ id, original }) => [id, ...(original === undefined ? [] : [original])]),
  );
  return new Set(
    records.filter((record) => [...entriesOf(record).keys()].some((id) => ids.has(id))).map(({ id }) => id),
  );
}
