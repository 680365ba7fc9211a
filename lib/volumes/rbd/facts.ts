import pLimit from 'p-limit';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import type { CommandPatience } from '../../tools/process/exec.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { ImageFacts } from '../../repository/manifests.js';
import type { LocateImage } from './image.js';

/** Without these facts a manifest is less convenient, and no worse: nobody's mark waits longer for them. */
const patienceMs = 20_000;

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
  patience: CommandPatience = {},
): Promise<ImageFacts> {
  const { rbd, image } = await locate(volume, signal);
  const { size } = await rbd.info(image, { signal, patience });
  if (typeof size !== 'number') {
    throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'rbd info: no size in its output');
  }
  const metadata = volume.details?.encrypted ? await rbd.metadata(image, { signal, patience }) : {};
  return { sizeBytes: size, metadata };
}

/**
 * The facts of many images; one that cannot be read is left out. A cluster that
 * does not answer is not asked once for each of its images, and keeps nobody of another cluster waiting.
 *
 * @param concurrency for each cluster
 */
export async function readImageFacts(
  volumes: readonly PlannedVolume[],
  locate: LocateImage,
  concurrency: number,
  signal: AbortSignal,
): Promise<FoundFacts> {
  const limitOf = new Map<string, ReturnType<typeof pLimit>>();
  const silent = new Map<string, string>();
  const found: FoundFacts = { facts: new Map(), problems: [] };
  const blocks = volumes.filter(({ kind, backup }) => backup && kind === 'rbd-block');
  await Promise.all(
    blocks.map((volume) => {
      const cluster = (volume.details?.monitors ?? []).join(',');
      const limit = limitOf.get(cluster) ?? pLimit(concurrency);
      limitOf.set(cluster, limit);
      return limit(async () => {
        try {
          const reason = silent.get(cluster);
          if (reason !== undefined) throw new CephbackupError('CEPH_UNREACHABLE', reason);
          found.facts.set(volume.uid, await readFacts(volume, locate, signal, { patienceMs }));
        } catch (thrown) {
          const error = asCephbackupError(thrown);
          if (error.code === 'CEPH_UNREACHABLE') silent.set(cluster, error.message);
          const name = volume.source !== null && 'image' in volume.source ? (volume.source.image ?? '') : '';
          found.problems.push(
            `${volume.namespace}/${volume.pvc}: no facts of image ${name}: ${error.message}`,
          );
        }
      });
    }),
  );
  return found;
}
