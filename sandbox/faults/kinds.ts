import { randomUUID } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject } from '../../lib/kube/types.js';
import { whileMounted, writeFilesystem, type CephCluster } from '../ceph.js';
import { createSubvolume, mountShare } from '../ceph/shares.js';
import { directoryClaim, imageClaim, shareClaim } from '../claims.js';
import { randomBytesOf } from '../workload/random.js';

export const kinds = ['rbd-ext4', 'rbd-xfs', 'rbd-block', 'cephfs-subvolume', 'cephfs-directory'] as const;
export type Kind = (typeof kinds)[number];

/** Where the volumes of one bed are: nobody else's are there. */
export interface Ground {
  cluster: CephCluster;
  /** `POOL/NAMESPACE`, which exists. */
  place: string;
  /** A group of subvolumes. */
  group: string;
  /** A folder for files. */
  folder: string;
}

/** A volume with content, and the claim and the PersistentVolume that tell of it. */
export interface Sown {
  objects: KubeObject[];
  /** `POOL/NAMESPACE/IMAGE`, or the path of a share. */
  at: string;
  /** The directory whose `.snap` only a look into the filesystem shows. */
  directory?: string;
}

const mebibyte = 1024 ** 2;
export const filesystem = 'cephfs';
/** Of the noise that a disk begins with. */
export const blockSeed = 3;

/** @param name of the claim, in the namespace `app` */
export async function sow(kind: Kind, name: string, ground: Ground): Promise<Sown> {
  const { cluster, place, group, folder } = ground;
  const claim = { namespace: 'app', name };
  const image = `${place}/csi-vol-${randomUUID()}`;
  switch (kind) {
    case 'rbd-ext4':
    case 'rbd-xfs': {
      const fsType = kind === 'rbd-ext4' ? 'ext4' : 'xfs';
      const size = (fsType === 'xfs' ? 320 : 32) * mebibyte;
      await cluster.createImage(image, size);
      await writeFilesystem(cluster, image, fsType, fill);
      return { objects: imageClaim(cluster, claim, { image, fsType, size }), at: image };
    }
    case 'rbd-block': {
      const file = path.join(folder, `${name}.raw`);
      await writeFile(
        file,
        Buffer.concat([
          randomBytesOf(blockSeed, mebibyte),
          Buffer.alloc(9 * mebibyte),
          randomBytesOf(4, mebibyte),
        ]),
      );
      await cluster.run('rbd', ['import', '--no-progress', file, image]);
      const size = 11 * mebibyte;
      return { objects: imageClaim(cluster, claim, { image, fsType: null, size }), at: image };
    }
    case 'cephfs-subvolume': {
      const subvolume = `csi-vol-${randomUUID()}`;
      const at = await createSubvolume(cluster, { filesystem, group, name: subvolume });
      await whileMounted(mountShare(cluster, filesystem, at), fill);
      const where = { filesystem, group, subvolume, path: at, size: 64 * mebibyte };
      return { objects: shareClaim(cluster, claim, where), at };
    }
    case 'cephfs-directory': {
      const at = `/plain-${group}/${name}`;
      await whileMounted(mountShare(cluster, filesystem, '/'), async (root) => {
        await mkdir(root + at, { recursive: true });
        await fill(root + at);
      });
      const where = { filesystem, path: at, size: 64 * mebibyte };
      return { objects: directoryClaim(cluster, claim, where), at, directory: at };
    }
  }
}

async function fill(root: string): Promise<void> {
  await mkdir(path.join(root, 'folder/below'), { recursive: true });
  await writeFile(path.join(root, 'folder/data'), randomBytesOf(1, 100_000), { flush: true });
  await writeFile(path.join(root, 'folder/below/text'), 'text\n', { flush: true });
  await symlink('folder/data', path.join(root, 'link'));
}
