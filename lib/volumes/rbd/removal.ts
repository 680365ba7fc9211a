import type { ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';
import type { CommandOptions } from '../../tools/process/exec.js';

/**
 * Removes a snapshot of ours. An image that was deleted meanwhile lies in the trash, where its name finds nothing: the
 * snapshot would stay, and keep ceph-csi from deleting the image for good.
 */
export async function removeOwnSnapshot(
  rbd: Rbd,
  image: ImageSpec,
  snapshot: string,
  options?: Partial<CommandOptions>,
): Promise<void> {
  if (await rbd.snapshots.remove(image, snapshot, options)) return;
  for (const { id, name } of await rbd.places.trash(image, options)) {
    if (name !== image.image) continue;
    await rbd.snapshots.removeOfTrashed({ ...image, imageId: id }, snapshot, options);
  }
}
