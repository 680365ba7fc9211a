import { mountImage, whileMounted } from '../ceph.js';
import { usual } from './against-script.js';
import { writeContents } from './contents.js';
import type { Bench } from './figure.js';
import { oneVolume } from './one-volume.js';
import { TestBed } from './test-bed.js';

const MiB = 1024 ** 2;

/** A volume of many small files and a few large ones: what the program costs beyond the steps themselves. */
export const rbdFilesystem: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const smallFiles = quick ? 500 : 20_000;
    tell(`a volume of ${smallFiles} small files and 3 large ones`);
    const largeFiles = Array<number>(3).fill((quick ? 2 : 32) * MiB);
    const volume = await bed.volume('files', 1024 * MiB, (root) => {
      writeContents(root, { seed: 1, smallFiles, largeFiles });
    });
    return await oneVolume({
      ...{ bed, volume, tell, rounds: quick ? 1 : 5, allowed: usual },
      goals: { first: { wall: 1.02, processor: 1.12 }, unchanged: { wall: 1.2, processor: 1.7 } },
      lastly: (run) => onAnotherDevice(bed, run),
    });
  } finally {
    await bed.stop();
  }
};

/** While another volume has the loop device that all runs before had, the next run gets one with another number. */
async function onAnotherDevice<T>(bed: TestBed, action: () => Promise<T>): Promise<T> {
  const other = await bed.volume('in-the-way', 16 * MiB, () => undefined);
  return whileMounted(mountImage(bed.cluster, other.image, 'ext4'), action);
}
