import { readFile } from 'node:fs/promises';
import { completeConf } from '../../tools/ceph/conf.js';
import { writeInside } from '../../tools/node/in-namespace.js';
import { exportDirectory, stateDirectory } from '../../tools/node/namespace.js';
import { exportDisk, serveDisk, servedDisk } from '../../tools/node/storage-daemon.js';
import type { Daemon } from '../../tools/process/daemon.js';
import { formatImage } from '../../tools/rbd/image-spec.js';
import { cloneFeatures, type Mapper, type MapperTools, type MapRequest } from './mapper.js';

/**
 * QEMU's storage daemon exports the image as one regular file by FUSE: for nodes whose kernel has neither rbd nor nbd.
 * It runs beside the volume's mount namespace and dies with this program. `mount -o loop` attaches the file to a loop
 * device that the kernel releases with the mount, so that nothing of it can be left behind. Who only reads gets a socket of
 * NBD instead: FUSE asks QEMU for 128 KiB at a time, and QEMU does one after the other.
 */
export function fuse(tools: MapperTools): Mapper {
  return {
    cloneFeatures: () => Promise.resolve(cloneFeatures),
    async map(request) {
      // A name of its own: an image that is restored to may be called anything.
      const file = `${exportDirectory}/image-${request.image.image}`;
      await exportDisk(tools, { ...(await wantedOf(request)), file });
      return { path: file, loop: true, isBelow: (majorMinor) => isLoopOf(majorMinor, file) };
    },
    async open(request) {
      const socket = `${exportDirectory}/socket`;
      await serveDisk(tools, { ...(await wantedOf(request)), socket });
      return { socket, export: servedDisk };
    },
  };
}

async function wantedOf(request: MapRequest) {
  const { image, rbd, namespace, scope, cluster, signal } = request;
  const conf = `${stateDirectory}/ceph.conf`;
  await writeInside(namespace, conf, await completeConf(rbd.connection, 'MAP_FAILED'), { mode: 0o600 });
  const started = (daemon: Daemon) => {
    scope.add({ kind: 'mapping', name: formatImage(image), cluster }, () => daemon.stop());
  };
  const of = ` of ${formatImage(image)}`;
  return { namespace, blockdev: blockdevOf(request, conf), of, started, signal };
}

function blockdevOf({ image, rbd }: MapRequest, conf: string): object {
  const { user } = rbd.connection;
  return {
    driver: 'rbd',
    pool: image.pool,
    ...(image.namespace === null ? {} : { namespace: image.namespace }),
    image: image.image,
    conf,
    ...(user === null ? {} : { user }),
    discard: 'ignore',
  };
}

/** Whether the device is a loop device over the file; sysfs shows the path as it is inside the namespace. */
async function isLoopOf(majorMinor: string, file: string): Promise<boolean> {
  try {
    const backing = await readFile(`/sys/dev/block/${majorMinor}/loop/backing_file`, 'utf8');
    return backing.trim() === file;
  } catch {
    return false;
  }
}
