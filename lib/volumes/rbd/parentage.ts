import { isScratchName } from '../../ownership/names.js';
import type { ImageById, ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';

/** What an image with a name of ours is. */
export function kindOf(image: string): 'clone' | 'image' {
  return isScratchName(image) ? 'image' : 'clone';
}

/**
 * Says why an image is not ours although its name is, or null. A clone of ours has the snapshot of the same name as its
 * parent, also where somebody removed that snapshot under it (Ceph then keeps it in its trash, by another name); a clone
 * that was killed before it got its parent has neither a parent nor data. A drill's scratch image has no parent.
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
  if (parent.snapshot === name) return null;
  const snapshots = await rbd.snapshots.list(
    parent.id === null ? parent : { ...parent, imageId: parent.id },
    options,
  );
  const renamed = snapshots.some(
    ({ name: now, trashedFrom }) => now === parent.snapshot && trashedFrom === name,
  );
  return renamed ? null : 'its parent is not the snapshot of the same name';
}
