import pLimit from 'p-limit';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { ImageFacts } from '../../repository/manifests.js';
import type { LocateImage } from './image.js';

export interface FoundFacts {
  /** By claim UID. */
  facts: Map<string, ImageFacts>;
  problems: string[];
}

/** What only Ceph knows of a block image: its exact size, and metadata that may hold a wrapped key. @throws as Rbd */
export async function readFacts(
  volume: PlannedVolume,
  locate: LocateImage,
  signal: AbortSignal,
): Promise<ImageFacts> {
  const { rbd, image } = await locate(volume, signal);
  const { size } = await rbd.info(image, { signal });
  if (typeof size !== 'number') {
    throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'rbd info: no size in its output');
  }
  const metadata = volume.details?.encrypted ? await rbd.metadata(image, { signal }) : {};
  return { sizeBytes: size, metadata };
}

/** The facts of many images; one that cannot be read is left out. */
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
          found.facts.set(volume.uid, await readFacts(volume, locate, signal));
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
