import { CephbackupError } from '../../errors/error.js';
import type { ExtentList } from '../../qcow2/extents.js';

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
/** So many objects are listed in a few seconds, which is not worth a single zero. */
const quicklyListed = 65_536;

/**
 * Lists what a snapshot contains. Exact extents cost a question to the OSDs for every object that could exist, in `rbd diff`
 * and again in `rbd export-diff`; whole objects come from the object map at no cost, but bring zeros along where objects
 * are partly filled. So exact extents are used where they keep more zeros out than their listing costs.
 *
 * @param diff lists whole objects or exact extents
 * @throws CephbackupError OBJECT_MAP_WRONG; what `diff` throws
 */
export async function listExtents(
  diff: (wholeObject: boolean) => Promise<ExtentList>,
  { size, objectSize, fastDiff }: SnapshotFacts,
): Promise<Listing> {
  // Without the map, whole objects cost as much as exact extents. With it, rbd 16 crashes where there are no objects.
  if (!fastDiff || size === 0) return { extents: await diff(false), wholeObject: false };
  const objects = Math.ceil(size / objectSize);
  const whole = await diff(true);
  // Even if all of it were zeros: a huge disk with little on it is not searched object by object.
  if (objects > quicklyListed && whole.bytes <= 2 * objects * listingCost) {
    return { extents: whole, wholeObject: true };
  }
  const exact = await diff(false);
  if (!covers(whole, exact)) {
    // rbd reads through the map as well: it would give zeros for the data of these objects.
    throw new CephbackupError('OBJECT_MAP_WRONG', 'the object map of the image denies objects that exist');
  }
  // The exact listing is paid for; a second one, in the export, is worth it only where it keeps many zeros out.
  const wholeObject = whole.bytes - exact.bytes <= objects * listingCost;
  return { extents: wholeObject ? whole : exact, wholeObject };
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
