import { writeContents } from './contents.js';
import type { Bench } from './figure.js';
import { oneVolume } from './one-volume.js';
import { TestBed } from './test-bed.js';

/** A CephFS subvolume of many small files, by ceph-fuse. */
export const cephfs: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder, ['cephfs']);
  try {
    const smallFiles = quick ? 500 : 20_000;
    tell(`a share of ${smallFiles} small files`);
    const volume = await bed.share('share', (root) => {
      writeContents(root, { seed: 1, smallFiles, largeFiles: [] });
    });
    return await oneVolume({
      ...{ bed, volume, tell, rounds: quick ? 1 : 3 },
      allowed: { seconds: 0.5, proof: false },
    });
  } finally {
    await bed.stop();
  }
};
