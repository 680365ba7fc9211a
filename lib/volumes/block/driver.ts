import { CephbackupError } from '../../errors/error.js';
import { planLayout } from '../../qcow2/layout.js';
import type { ExtentList } from '../../qcow2/extents.js';
import { formatImage, type ImageSpec, type Rbd } from '../../tools/rbd/images.js';
import { DiffParser } from './diff.js';
import { listExtents, type SnapshotFacts } from './listing.js';
import { writePlanFile } from './plan-file.js';
import { checkState, snapshotFacts } from './snapshot-facts.js';
import type { StreamSource } from '../../repository/source.js';
import type { VolumeDriver, VolumeJob } from '../driver.js';
import type { LocateImage } from '../rbd/image.js';
import { removeOwnSnapshot } from '../rbd/removal.js';

export interface RbdBlockTools {
  locate: LocateImage;
  /** argv that starts the producer; the path of its plan follows. */
  producer: readonly string[];
  /** Where temporary files go. */
  temporary: string;
}

/** The path of the image within the snapshot; the same in every run, because restic groups by it. */
export const imagePath = '/disk.qcow2';

/**
 * Turns a snapshot of the image into a QCOW2 stream. Nothing is mapped, mounted or cloned: the data comes out of
 * `rbd export-diff`, so this needs no privilege, and no block that was never written is read.
 */
export class RbdBlockDriver implements VolumeDriver {
  constructor(private readonly tools: RbdBlockTools) {}

  async prepare(job: VolumeJob): Promise<StreamSource> {
    const { volume, name, scope, signal } = job;
    const { rbd, image, cluster } = await this.tools.locate(volume, signal);
    const spec = formatImage(image);
    const before = await imageInfo(rbd, image, signal);
    checkState(before, spec);
    const { id: imageId } = before;

    scope.add({ kind: 'snapshot', name: `${spec}@${name}`, cluster }, () =>
      removeOwnSnapshot(rbd, image, name),
    );
    job.step('taking snapshot');
    await job.takeSnapshot((begin, during) =>
      rbd.createSnapshot(image, name, { signal: during, beforeAttempt: begin }),
    );

    job.step('listing extents');
    const [snapshotId, info] = await Promise.all([
      snapshotNumber(rbd, image, name, signal),
      rbd.snapshotInfo(image, name, { signal }),
    ]);
    const facts = snapshotFacts(info);
    const diff = (wholeObject: boolean) => listSnapshot(rbd, image, name, wholeObject, facts, signal);
    const { extents, wholeObject } = await listExtents(diff, facts);
    const { length, clusterBits } = planLayout({ virtualSize: facts.size, extents });
    const plan = writePlanFile(
      {
        exportArgs: rbd.exportArgv(image, name, wholeObject),
        // By its id it is found in the trash, too: where its claim is deleted meanwhile.
        snapListArgs: rbd.snapshotListArgv(typeof imageId === 'string' ? { ...image, imageId } : image),
        snapshot: name,
        snapshotId,
        sizeBytes: facts.size,
        clusterBits,
        length,
        extents,
      },
      this.tools.temporary,
    );
    scope.add(null, () => {
      plan.close();
      return Promise.resolve();
    });
    return {
      type: 'stream',
      filename: imagePath,
      command: [...this.tools.producer, plan.path],
      length,
      imageSize: facts.size,
      // The producer has confirmed everything itself: otherwise restic would have saved nothing.
      confirm: () => Promise.resolve(),
    };
  }
}

/** @throws CephbackupError IMAGE_MIGRATING, IMAGE_NOT_FOUND … */
async function imageInfo(rbd: Rbd, image: ImageSpec, signal: AbortSignal): Promise<Record<string, unknown>> {
  try {
    return await rbd.info(image, { signal });
  } catch (thrown) {
    const missing = thrown instanceof CephbackupError && thrown.code === 'IMAGE_NOT_FOUND';
    if (!missing || !(await rbd.isMigrationSource(image, { signal }))) throw thrown;
    const message = `the image ${formatImage(image)} is the source of a migration`;
    throw new CephbackupError('IMAGE_MIGRATING', message, { cause: thrown });
  }
}

/** @throws CephbackupError SNAPSHOT_VANISHED */
async function snapshotNumber(
  rbd: Rbd,
  image: ImageSpec,
  snapshot: string,
  signal: AbortSignal,
): Promise<number> {
  const found = (await rbd.snapshots(image, { signal })).find(({ name }) => name === snapshot);
  if (found !== undefined) return found.id;
  throw new CephbackupError('SNAPSHOT_VANISHED', `the snapshot ${snapshot} was removed at once`);
}

/**
 * rbd prints its list at its end, so that nothing tells whether it makes progress. It asks for ten objects at a time: this
 * is as long as an answer of a very slow disk takes, 200 ms. The volume's own deadline is usually shorter.
 */
const listedObjectMs = 20;
const listingBaseMs = 600_000;

async function listSnapshot(
  rbd: Rbd,
  image: ImageSpec,
  snapshot: string,
  wholeObject: boolean,
  { size, objectSize }: SnapshotFacts,
  signal: AbortSignal,
): Promise<ExtentList> {
  const parser = new DiffParser({ size, objectSize });
  const failures: unknown[] = [];
  const listed = rbd.diff(image, snapshot, wholeObject, {
    signal,
    deadlineMs: listingBaseMs + (size / objectSize) * listedObjectMs,
    onStdout: (chunk, stop) => {
      if (failures.length > 0) return;
      try {
        parser.push(chunk);
      } catch (thrown) {
        failures.push(thrown);
        stop();
      }
    },
  });
  await listed.catch((thrown: unknown) => failures.push(thrown));
  if (failures.length > 0) throw failures[0];
  return parser.end();
}
