import type { CommandOptions } from '../../tools/process/exec.js';
import { formatImage, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';
import type { EpochMs } from '../../log/time.js';
import type { VolumeJob } from '../driver.js';

/**
 * Takes the job's snapshot, in its scope. Where the moment is given up, the command may still be at work: nothing is
 * removed before it has come to its end.
 *
 * @param release what the scope does with it
 * @returns the point in time
 * @throws CephbackupError SNAPSHOT_FAILED, IMAGE_NOT_FOUND, POOL_FULL …
 */
export async function takeOwnSnapshot(
  { scope, name, step, takeSnapshot }: Pick<VolumeJob, 'scope' | 'name' | 'step' | 'takeSnapshot'>,
  { rbd, image, cluster }: { rbd: Rbd; image: ImageSpec; cluster: string | null },
  release = () => removeOwnSnapshot(rbd, image, name),
): Promise<EpochMs> {
  let asked: Promise<unknown> = Promise.resolve();
  scope.add({ kind: 'snapshot', name: `${formatImage(image)}@${name}`, cluster }, async () => {
    await asked;
    await release();
  });
  step('taking snapshot');
  return takeSnapshot((begin, during) => {
    const made = rbd.snapshots.create(image, name, { signal: during, beforeAttempt: begin });
    asked = made.catch(() => undefined);
    return made;
  });
}

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
