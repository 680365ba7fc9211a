import { ExtentList } from '../../../qcow2/extents.js';
import type { RbdSnapshot } from '../../../tools/rbd/snapshots.js';
import type { VolumeJob } from '../../driver.js';
import { listSnapshot, type TakenSnapshot } from '../driver.js';
import { snapshotFacts } from '../snapshot-facts.js';
import type { SnapshotFacts } from '../listing.js';

type Context = [job: Pick<VolumeJob, 'name' | 'signal'>, taken: TakenSnapshot, base: RbdSnapshot];

/** Null where the base was removed or renamed meanwhile. @throws CephbackupError */
export function baseFacts(...context: Context): Promise<SnapshotFacts | null> {
  const [{ signal }, { rbd, image }, base] = context;
  return whileThere(context, async () =>
    snapshotFacts(await rbd.snapshots.info(image, base.name, { signal })),
  );
}

/**
 * What may differ between the base and the snapshot. Where both have object maps, Ceph is asked in two ways, and what
 * either of them names counts. Null where the base was removed or renamed meanwhile.
 *
 * @throws CephbackupError
 */
export function changesSince(...context: Context): Promise<ExtentList | null> {
  const [{ name, signal }, { rbd, image, facts }, base] = context;
  const list = (wholeObject: boolean) =>
    listSnapshot(rbd, image, name, wholeObject, facts, signal, base.name);
  return whileThere(context, async () => {
    const exact = await list(false);
    return facts.fastDiff && facts.size > 0 ? union(exact, await list(true)) : exact;
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
