import pLimit from 'p-limit';
import { asCephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { ImageFacts } from '../../repository/manifests.js';
import type { LocateImage } from './image.js';

export interface FoundFacts {
  /** By claim UID. */
  facts: Map<string, ImageFacts>;
  problems: string[];
}

/** Reads what only Ceph knows of block images: their exact size, and metadata that may hold a wrapped key. */
export async function readImageFacts(
  volumes: readonly PlannedVolume[],
  locate: LocateImage,
  concurrency: number,
  signal: AbortSignal,
): Promise<FoundFacts> {
  const limit = pLimit(concurrency);
  const found: FoundFacts = { facts: new Map(), problems: [] };
  const blocks = volumes.filter(({ kind, backup }) => backup && kind === 'rbd-block');
  await Promise.all(
    blocks.map((volume) =>
      limit(async () => {
        try {
          const { rbd, image } = await locate(volume, signal);
          const { size } = await rbd.info(image, { signal });
          const metadata = volume.details?.encrypted ? await rbd.metadata(image, { signal }) : {};
          if (typeof size === 'number') found.facts.set(volume.uid, { sizeBytes: size, metadata });
        } catch (thrown) {
          const name = volume.source !== null && 'image' in volume.source ? (volume.source.image ?? '') : '';
          found.problems.push(
            `${volume.namespace}/${volume.pvc}: no facts of image ${name}: ${asCephbackupError(thrown).message}`,
          );
        }
      }),
    ),
  );
  return found;
}
