import { baseOwner, isScratchName, ownerOf } from '../../ownership/names.js';
import type { ImageById, ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';

/** What an image with a name of ours is. */
export function kindOf(image: string): 'clone' | 'image' {
  return isScratchName(image) ? 'image' : 'clone';
}

/**
 * Says why an image is not ours although its name is, or null. A clone of ours has the snapshot of the same name as its
 * parent, also where somebody removed that snapshot under it (Ceph then keeps it in its trash, by another name), and also
 * where the run that could not remove the clone kept that snapshot as a base, by a base's name; a clone that was killed
 * before it got its parent has neither a parent nor data. A drill's scratch image has no parent.
 */
export async function whyNotOurs(
  rbd: Rbd,
  name: string,
  image: ImageSpec | ImageById,
  options: { signal: AbortSignal },
): Promise<string | null> {
  const parent = await rbd.parent(image, options);
  if (kindOf(name) === 'image') return parent === null ? null : 'it has a parent, which no scratch image has';
  if (parent === null) {
    const empty = await rbd.isEmpty(image, options).catch(() => false);
    return empty ? null : 'it has no parent, but data of its own';
  }
  if (isParentOf(name, parent.snapshot)) return null;
  const snapshots = await rbd.snapshots.list(
    parent.id === null ? parent : { ...parent, imageId: parent.id },
    options,
  );
  const renamed = snapshots.some(
    ({ name: now, trashedFrom }) =>
      now === parent.snapshot && trashedFrom !== null && isParentOf(name, trashedFrom),
  );
  return renamed
    ? null
    : 'its parent is neither the snapshot of the same name nor a base of its installation';
}

/** Whether a snapshot may be what this program made a clone of that name from. */
function isParentOf(clone: string, snapshot: string): boolean {
  if (snapshot === clone) return true;
  const installation = baseOwner(snapshot);
  return installation !== null && installation === ownerOf(clone)?.installation;
}
