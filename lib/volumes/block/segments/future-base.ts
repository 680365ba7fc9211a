import { baseName, baseOwner, ownerOf } from '../../../ownership/names.js';
import type { FutureBase } from '../../../repository/source.js';
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
  { name }: Pick<VolumeJob, 'name'>,
  { rbd, image, cluster, snapshots }: Pick<TakenSnapshot, 'rbd' | 'image' | 'cluster' | 'snapshots'>,
  held: { value: boolean },
): FutureBase {
  const installation = ownerOf(name)?.installation ?? '';
  const resource = (snapshot: string) =>
    ({ kind: 'snapshot', name: `${formatImage(image)}@${snapshot}`, cluster }) as const;
  return {
    resource: resource(name),
    hold: () => {
      held.value = true;
    },
    drop: () => removeOwnSnapshot(rbd, image, name),
    keep: async (id) => {
      const kept = baseName(installation, id);
      let found = snapshots;
      try {
        await rbd.snapshots.rename(image, name, kept);
        found = await rbd.snapshots.list(image).catch(() => snapshots);
      } catch (thrown) {
        // It may have failed after its work.
        found = await rbd.snapshots.list(image).catch(() => []);
        if (!found.some((snapshot) => snapshot.name === kept)) throw thrown;
      }
      return found
        .filter((snapshot) => baseOwner(snapshot.name) === installation && snapshot.name !== kept)
        .map((older) => ({
          resource: resource(older.name),
          release: () => removeOwnSnapshot(rbd, image, older.name),
        }));
    },
  };
}
