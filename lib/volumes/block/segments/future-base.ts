import { baseName, baseOwner, ownerOf } from '../../../ownership/names.js';
import type { FutureBase } from '../../../repository/source.js';
import { asCephbackupError } from '../../../errors/error.js';
import { formatImage } from '../../../tools/rbd/image-spec.js';
import type { VolumeJob } from '../../driver.js';
import { removeOwnSnapshot } from '../../rbd/own-snapshot.js';
import type { TakenSnapshot } from '../driver.js';

/**
 * The snapshot that was taken, until it is the base of the next backup, or gone. Its name alone says which backup it is the
 * base of, so that it is renamed last: whatever fails before leaves the snapshot of a dead run.
 *
 * @param held whether unwinding leaves the snapshot in place
 */
export function futureBase(
  { name, warn }: Pick<VolumeJob, 'name' | 'warn'>,
  { rbd, image, cluster }: TakenSnapshot,
  held: { value: boolean },
): FutureBase {
  const installation = ownerOf(name)?.installation ?? '';
  return {
    resource: { kind: 'snapshot', name: `${formatImage(image)}@${name}`, cluster },
    hold: () => {
      held.value = true;
    },
    drop: () => removeOwnSnapshot(rbd, image, name),
    keep: async (id) => {
      const kept = baseName(installation, id);
      await rbd.snapshots.rename(image, name, kept);
      // From here on there is a base; an older one that stays only takes space.
      try {
        for (const { name: other } of await rbd.snapshots.list(image))
          if (baseOwner(other) === installation && other !== kept) await rbd.snapshots.remove(image, other);
      } catch (thrown) {
        warn(`an older base of ${formatImage(image)} stays: ${asCephbackupError(thrown).message}`);
      }
    },
  };
}
