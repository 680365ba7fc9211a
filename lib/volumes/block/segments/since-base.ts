import { ExtentList } from '../../../qcow2/extents.js';
import { allOf } from '../../../waiting/all-of.js';
import type { RbdSnapshot } from '../../../tools/rbd/snapshots.js';
import type { VolumeJob } from '../../driver.js';
import { listSnapshot, type TakenSnapshot } from '../driver.js';
import { snapshotFacts } from '../snapshot-facts.js';
import type { SnapshotFacts } from '../listing.js';

type Context = [job: Pick<VolumeJob, 'name' | 'signal'>, taken: TakenSnapshot, base: RbdSnapshot];

export interface SinceBase {
  /** Of the base's own snapshot. */
  base: SnapshotFacts;
  /** What may differ between the base and the snapshot; null where Ceph is known to miss changes. */
  changes: ExtentList | null;
}

/**
 * What the base is, and what has changed since. Where both have object maps, Ceph is asked in two ways, and what either of
 * them names counts. Null where the base was removed or renamed meanwhile.
 *
 * @param isRight whether a diff from a base with such facts misses no change
 * @throws CephbackupError
 */
export function sinceBase(
  context: Context,
  isRight: (base: SnapshotFacts) => boolean,
): Promise<SinceBase | null> {
  const [{ name, signal }, { rbd, image, facts }, { name: baseName }] = context;
  const list = (wholeObject: boolean) => listSnapshot(rbd, image, name, wholeObject, facts, signal, baseName);
  return whileThere(context, async () => {
    const base = snapshotFacts(await rbd.snapshots.info(image, baseName, { signal }));
    if (!isRight(base)) return { base, changes: null };
    const [exact, whole] = await allOf([list(false), facts.fastDiff && facts.size > 0 ? list(true) : null]);
    return { base, changes: whole === null ? exact : union(exact, whole) };
  });
}

/** What Ceph says of a snapshot that is on its way out is not believed, whether it is an answer or an error. */
async function whileThere<T>(
  [{ signal }, { rbd, image }, base]: Context,
  ask: () => Promise<T>,
): Promise<T | null> {
  const isThere = async () =>
    (await rbd.snapshots.list(image, { signal })).some(
      ({ id, name }) => id === base.id && name === base.name,
    );
  let answer;
  try {
    answer = await ask();
  } catch (thrown) {
    signal.throwIfAborted();
    if (await isThere()) throw thrown;
    return null;
  }
  return (await isThere()) ? answer : null;
}

function union(one: ExtentList, other: ExtentList): ExtentList {
  const list = new ExtentList();
  const push = (start: number, length: number) => {
    const from = Math.max(start, list.end);
    if (start + length > from) list.push(from, start + length - from);
  };
  let at = 0;
  for (const { start, length } of one) {
    for (; at < other.count && other.offset(at) < start; at++) push(other.offset(at), other.length(at));
    push(start, length);
  }
  for (; at < other.count; at++) push(other.offset(at), other.length(at));
  return list;
}
