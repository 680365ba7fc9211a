import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CephbackupError } from '../../errors/error.js';
import { completeConf } from '../../tools/ceph/conf.js';
import { mountedAt } from '../../tools/node/mount.js';
import {
  expectNamespace,
  exportDirectory,
  pathInside,
  serverCommand,
  stateDirectory,
} from '../../tools/node/namespace.js';
import { formatImage } from '../../tools/rbd/images.js';
import { cloneFeatures, type Mapper, type MapperTools, type MapRequest } from './mapper.js';

const exportWithinMs = 60_000;

/**
 * QEMU's storage daemon exports the image as one regular file by FUSE: for nodes whose kernel has neither rbd nor nbd.
 * It runs beside the volume's mount namespace and dies with this program. `mount -o loop` attaches the file to a loop
 * device that the kernel releases with the mount, so that nothing of it can be left behind.
 */
export function fuse({ startDaemon, env }: MapperTools): Mapper {
  return {
    cloneFeatures: () => Promise.resolve(cloneFeatures),
    async map(request) {
      const { image, rbd, namespace, scope, cluster, signal } = request;
      // A name of its own: an image that is restored to may be called anything.
      const file = `${exportDirectory}/image-${image.image}`;
      const conf = `${stateDirectory}/ceph.conf`;
      await writeFile(pathInside(namespace, conf), await completeConf(rbd.connection, 'MAP_FAILED'), {
        mode: 0o600,
      });
      await writeFile(pathInside(namespace, file), '');
      const command = serverCommand('qemu-storage-daemon', storageDaemonArguments(request, file, conf));
      const daemon = startDaemon(...command, { env, namespace });
      scope.add({ kind: 'mapping', name: formatImage(image), cluster }, () => daemon.stop());
      const deadline = performance.now() + exportWithinMs;
      while ((await mountedAt(namespace, file)) === null) {
        signal.throwIfAborted();
        await expectNamespace(namespace);
        if (!daemon.alive()) {
          const message = await daemon.ended;
          throw new CephbackupError('MAP_FAILED', `qemu-storage-daemon of ${formatImage(image)}: ${message}`);
        }
        if (performance.now() > deadline) {
          throw new CephbackupError(
            'MAP_FAILED',
            `qemu-storage-daemon of ${formatImage(image)}: nothing after 60 s`,
          );
        }
        await sleep(10);
      }
      return { path: file, loop: true, isBelow: (majorMinor) => isLoopOf(majorMinor, file) };
    },
  };
}

function storageDaemonArguments({ image, rbd }: MapRequest, file: string, conf: string): string[] {
  const { user } = rbd.connection;
  const node = {
    driver: 'rbd',
    'node-name': 'image',
    pool: image.pool,
    ...(image.namespace === null ? {} : { namespace: image.namespace }),
    image: image.image,
    conf,
    ...(user === null ? {} : { user }),
    discard: 'ignore',
  };
  const target = { type: 'fuse', id: 'export', 'node-name': 'image', mountpoint: file, writable: true };
  return [
    '--blockdev',
    JSON.stringify(node),
    '--export',
    JSON.stringify({ ...target, 'allow-other': 'off' }),
  ];
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
