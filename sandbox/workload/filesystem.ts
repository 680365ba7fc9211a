import { randomUUID } from 'node:crypto';
import type { CephCluster } from '../ceph/cluster.js';
import { mountImage, writeFilesystem, type FilesystemType } from '../ceph/images.js';
import { imageClaim, type ClaimName, type ClaimOptions } from '../claims.js';
import { useFiles } from './files.js';
import type { Workload } from './workload.js';

export interface FilesystemOptions extends ClaimOptions {
  /** `POOL[/NAMESPACE]` */
  pool: string;
  fsType: FilesystemType;
  title: string;
  fill: (root: string) => Promise<void>;
}

/** An image with a filesystem that is mounted and written to. */
export async function startFilesystem(
  cluster: CephCluster,
  claim: ClaimName,
  { pool, fsType, title, fill, ...options }: FilesystemOptions,
): Promise<Workload> {
  const image = `${pool}/csi-vol-${randomUUID()}`;
  await cluster.createImage(image, options.size);
  await writeFilesystem(cluster, image, fsType, fill);
  const files = await useFiles(await mountImage(cluster, image, fsType));
  return {
    claim,
    title: `${fsType} on RBD, ${title}`,
    objects: imageClaim(cluster, claim, { ...options, image, fsType }),
    ...files,
  };
}
