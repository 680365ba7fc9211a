import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { formatImage, type ImageSpec, type Rbd } from '../../tools/rbd.js';
import type { Mapper } from './mapper.js';

/** The kernel's own RBD client. A mapping is global to the node and outlives its process: the sweep knows it, too. */
export const krbd: Mapper = {
  async map({ image, rbd, scope, cluster, signal }) {
    scope.add({ kind: 'mapping', name: formatImage(image), cluster }, () => unmapAll(rbd, image));
    const device = await rbd.map(image, { signal });
    return {
      path: device,
      loop: false,
      isBelow: async (majorMinor) => (await deviceNumber(device)) === majorMinor,
    };
  },
};

/** Unmaps an image wherever this node maps it. */
export async function unmapAll(rbd: Rbd, image: ImageSpec): Promise<void> {
  for (const mapped of await rbd.mapped()) {
    if (formatImage(mapped) === formatImage(image)) await rbd.unmap(mapped.device);
  }
}

async function deviceNumber(device: string): Promise<string> {
  return (await readFile(`/sys/block/${path.basename(device)}/dev`, 'utf8')).trim();
}
