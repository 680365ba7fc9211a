import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import { lastLine } from '../../tools/process/outcome.js';
import { kernelAtLeast } from '../../tools/node/mount.js';
import { stateDirectory } from '../../tools/node/namespace.js';
import { formatImage, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';
import { cloneFeatures, type Mapper, type MapperTools, type MapRequest } from './mapper.js';

/** The kernel's own RBD client. A mapping is global to the node and outlives its process: the sweep knows it, too. */
export function krbd({ exec }: MapperTools): Mapper {
  return {
    cloneFeatures: featuresOfKernel,
    async map(request) {
      const { image, rbd, scope, cluster, signal, mapOptions = [] } = request;
      scope.add({ kind: 'mapping', name: formatImage(image), cluster }, () => unmapAll(rbd, image));
      const name = path.basename(await rbd.mapping.map(image, mapOptions, { signal }));
      const number = await deviceNumber(name);
      const node = `${stateDirectory}/${name}`;
      await makeNode(exec, request, node, number);
      return {
        path: node,
        loop: false,
        // The number may belong to another mapping by now.
        isBelow: async (majorMinor) => majorMinor === number && (await deviceNumber(name)) === number,
      };
    },
  };
}

/** Bits of the features that a kernel may lack, as it prints them [drivers/block/rbd.c, `supported_features`]. */
const featureBits: Partial<Record<string, number>> = { 'object-map': 0x8, 'fast-diff': 0x10 };

/** The object map came with Linux 5.3; before the module is loaded, only the release tells. */
async function featuresOfKernel(): Promise<readonly string[]> {
  const printed = await readFile('/sys/bus/rbd/supported_features', 'utf8').catch(() => null);
  const mask = printed === null ? NaN : Number(printed.trim());
  return cloneFeatures.filter((feature) => {
    const bit = featureBits[feature];
    if (bit === undefined) return true;
    return Number.isNaN(mask) ? kernelAtLeast(5, 3) : (mask & bit) !== 0;
  });
}

/** Unmaps an image as often as this node maps it. */
export async function unmapAll(rbd: Rbd, image: ImageSpec): Promise<void> {
  for (const mapped of await rbd.mapping.list()) {
    if (formatImage(mapped) === formatImage(image)) await rbd.mapping.unmap(image);
  }
}

/** `major:minor`, as the kernel says; without udev nothing else can be relied on. */
async function deviceNumber(name: string): Promise<string> {
  return (await readFile(`/sys/block/${name}/dev`, 'utf8')).trim();
}

/**
 * A device node of our own, for this mapping and no other: a container's /dev has none, and one that is there may be
 * what an earlier mapping of that name left.
 */
async function makeNode(
  exec: MapperTools['exec'],
  { namespace, signal, image }: MapRequest,
  node: string,
  number: string,
): Promise<void> {
  const args = ['--mode=0600', '--', node, 'b', ...number.split(':')];
  const result = await exec('mknod', args, { namespace, signal, deadlineMs: 30_000 });
  if (result.exitCode === 0) return;
  throw new CephbackupError(
    'MAP_FAILED',
    `device node for ${formatImage(image)}: ${lastLine(result.stderr)}`,
  );
}
