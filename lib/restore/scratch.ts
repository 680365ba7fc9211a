import { persist, steady, whilePassing } from '../waiting/persist.js';
import type { ImageSpec } from '../tools/rbd/image-spec.js';
import type { Rbd } from '../tools/rbd/images.js';
import { deadClientPatienceMs, pollIntervalMs } from './hold.js';

/** Removes a drill's image, also one whose writer was killed just now. Succeeds where it does not exist. */
export async function removeScratch(rbd: Rbd, image: ImageSpec): Promise<void> {
  const passes = async () => (await rbd.watchers(image).catch(() => [])).length > 0;
  await persist(
    () => rbd.removeImage(image),
    whilePassing(passes, steady(deadClientPatienceMs, pollIntervalMs)),
  );
}
