import { CephbackupError } from '../../errors/error.js';
import type { ExtentList } from '../../qcow2/extents.js';
import { allOf } from '../../waiting/all-of.js';
import { WholeObjects } from './diff.js';

/** What is known of a snapshot before its extents are listed. Bytes. */
export interface SnapshotFacts {
  size: number;
  objectSize: number;
  /** Whether the object map can tell at once which objects exist. */
  fastDiff: boolean;
}

export interface Listing {
  extents: ExtentList;
  /** Whether the extents are whole objects, as `--whole-object` makes `rbd diff` and `rbd export-diff` list them. */
  wholeObject: boolean;
}

/**
 * Bytes of zeros that cost as much time, on the way into restic, as it takes the OSDs to list one object (about 50 µs with
 * ten at a time). On the low side, because zeros also count as bytes read.
 */
const listingCost = 16 * 1024;

/**
 * Lists what a snapshot contains. Exact extents cost a question to the OSDs for every object that could exist, in `rbd diff`
 * and again in `rbd export-diff`; whole objects come from the object map at no cost, but bring zeros along where objects
 * are partly filled.
 *
 * The OSDs are asked once in any case: the map alone is not believed. rbd reads through it, so that an object which it
 * denies is exported as zeros, without any error. In the export they are asked again only where that keeps enough zeros out.
 *
 * @param diff lists whole objects (as the object map has them) or exact extents (as the OSDs have them)
 * @throws CephbackupError OBJECT_MAP_WRONG; what `diff` throws
 */
export async function listExtents(
  diff: (wholeObject: boolean) => Promise<ExtentList>,
  { size, objectSize, fastDiff }: SnapshotFacts,
): Promise<Listing> {
  // Without the map, whole objects cost as much as exact extents. With it, rbd 16 crashes where there are no objects.
  if (!fastDiff || size === 0) {
    const extents = await diff(false);
    // Rounded to objects by who listed them, because there are too many: then as `rbd export-diff` will announce them.
    if (extents instanceof WholeObjects) return { extents: await diff(true), wholeObject: true };
    return { extents, wholeObject: false };
  }
  const { whole, exact } = await listBoth(diff);
  const objects = Math.ceil(size / objectSize);
  const wholeObject = exact instanceof WholeObjects || whole.bytes - exact.bytes <= objects * listingCost;
  return { extents: wholeObject ? whole : exact, wholeObject };
}

/** What the OSDs have, to the byte where it can be remembered. @throws CephbackupError OBJECT_MAP_WRONG; what `diff` throws */
export async function listExact(
  diff: (wholeObject: boolean) => Promise<ExtentList>,
  { size, fastDiff }: SnapshotFacts,
): Promise<ExtentList> {
  return fastDiff && size > 0 ? (await listBoth(diff)).exact : diff(false);
}

async function listBoth(diff: (wholeObject: boolean) => Promise<ExtentList>) {
  const [whole, exact] = await allOf([diff(true), diff(false)]);
  if (covers(whole, exact)) return { whole, exact };
  throw new CephbackupError('OBJECT_MAP_WRONG', 'the object map of the snapshot denies objects that exist');
}

/** Whether each extent of `inner` lies within one of `outer`. */
function covers(outer: ExtentList, inner: ExtentList): boolean {
  let at = 0;
  for (const { start, length } of inner) {
    while (at < outer.count && outer.offset(at) + outer.length(at) < start + length) at++;
    if (at === outer.count || outer.offset(at) > start) return false;
  }
  return true;
}
