import { setTimeout as sleep } from 'node:timers/promises';
import { asCephbackupError } from '../errors/error.js';
import type { ImageSpec, Rbd } from '../tools/rbd.js';

/** A client that was killed is forgotten after 30 s. Milliseconds. */
const deadClientPatience = 45_000;
const pollInterval = 2_000;

/** Removes a drill's image, also one whose writer was killed just now. Succeeds where it does not exist. */
export async function removeScratch(rbd: Rbd, image: ImageSpec): Promise<void> {
  const deadline = performance.now() + deadClientPatience;
  for (;;) {
    try {
      await rbd.removeImage(image);
      return;
    } catch (thrown) {
      const watched = await rbd.watchers(image).catch(() => []);
      if (watched.length === 0 || performance.now() > deadline) throw asCephbackupError(thrown);
    }
    await sleep(pollInterval);
  }
}
