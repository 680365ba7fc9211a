import { CephbackupError } from '../../errors/error.js';
import { planLayout } from '../../qcow2/layout.js';
import type { ExtentList } from '../../qcow2/extents.js';
import { formatImage, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';
import type { RbdSnapshot } from '../../tools/rbd/snapshots.js';
import { DiffParser } from './diff.js';
import { listExtents, type SnapshotFacts } from './listing.js';
import { writePlanFile } from './plan-file.js';
import { checkState, snapshotFacts } from './snapshot-facts.js';
import { defaultStalledMs } from './standstill.js';
import type { StreamSource } from '../../repository/source.js';
import type { VolumeDriver, VolumeJob } from '../driver.js';
import type { LocateImage } from '../rbd/image.js';
import { takeOwnSnapshot } from '../rbd/own-snapshot.js';

export interface RbdBlockTools {
  locate: LocateImage;
  /** argv that starts the producer; the path of its plan follows. */
  producer: readonly string[];
  /** Where temporary files go. */
  temporary: string;
  /** After so long without a byte that it could have given, rbd is ended; default: 20 minutes. */
  stalledMs?: number;
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
    return this.stream(job, await takeSnapshot(this.tools.locate, job));
  }

  /** The stream of the snapshot that another driver took for this job, and releases. */
  async existing(job: VolumeJob): Promise<StreamSource> {
    const { rbd, image, cluster } = await this.tools.locate(job.volume, job.signal);
    const info = await imageInfo(rbd, image, job.signal);
    checkState(info, formatImage(image));
    const { id: imageId } = info;
    return this.stream(job, await describeSnapshot({ rbd, image, imageId, cluster }, job));
  }

  /** The stream of a snapshot that was taken. */
  async stream(
    job: VolumeJob,
    { rbd, image, imageId, snapshotId, facts }: TakenSnapshot,
  ): Promise<StreamSource> {
    const { name, scope, signal } = job;
    const diff = (wholeObject: boolean) => listSnapshot(rbd, image, name, wholeObject, facts, signal);
    const { extents, wholeObject } = await listExtents(diff, facts);
    const { length, clusterBits } = planLayout({ virtualSize: facts.size, extents });
    const plan = writePlanFile(
      {
        exportArgs: rbd.exportArgv(image, name, wholeObject),
        // By its id it is found in the trash, too: where its claim is deleted meanwhile.
        snapListArgs: rbd.snapshots.listArgv(typeof imageId === 'string' ? { ...image, imageId } : image),
        snapshot: name,
        snapshotId,
        sizeBytes: facts.size,
        clusterBits,
        length,
        // What is in no extent is asked for, too, and nothing comes of it.
        silenceMs:
          (this.tools.stalledMs ?? defaultStalledMs) +
          (extents.longestGap(facts.size) / facts.objectSize) * listedObjectMs,
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

export interface TakenSnapshot {
  rbd: Rbd;
  image: ImageSpec;
  /** By which it is found in the trash, too; a string. */
  imageId: unknown;
  cluster: string | null;
  /** Its number: nothing else ever has the same. */
  snapshotId: number;
  facts: SnapshotFacts;
  /** All snapshots of the image. */
  snapshots: RbdSnapshot[];
}

/**
 * @param release what the scope does with the snapshot, instead of removing it
 * @throws CephbackupError
 */
export async function takeSnapshot(
  locate: LocateImage,
  job: VolumeJob,
  release?: (rbd: Rbd, image: ImageSpec) => Promise<void>,
): Promise<TakenSnapshot> {
  const { volume, signal } = job;
  const { rbd, image, cluster } = await locate(volume, signal);
  const before = await imageInfo(rbd, image, signal);
  checkState(before, formatImage(image));
  const { id: imageId } = before;

  await takeOwnSnapshot(job, { rbd, image, cluster }, release && (() => release(rbd, image)));

  return describeSnapshot({ rbd, image, imageId, cluster }, job);
}

/** A snapshot of ours that was taken. @throws CephbackupError SNAPSHOT_VANISHED, IMAGE_NOT_FOUND … */
export async function describeSnapshot(
  { rbd, image, imageId, cluster }: Pick<TakenSnapshot, 'rbd' | 'image' | 'imageId' | 'cluster'>,
  { name, signal, step }: Pick<VolumeJob, 'name' | 'signal' | 'step'>,
): Promise<TakenSnapshot> {
  step('listing extents');
  const [snapshots, info] = await Promise.all([
    rbd.snapshots.list(image, { signal }),
    rbd.snapshots.info(image, name, { signal }),
  ]);
  const snapshotId = snapshotNumber(snapshots, name);
  return { rbd, image, imageId, cluster, snapshotId, facts: snapshotFacts(info), snapshots };
}

/** @throws CephbackupError IMAGE_MIGRATING, IMAGE_NOT_FOUND … */
async function imageInfo(rbd: Rbd, image: ImageSpec, signal: AbortSignal): Promise<Record<string, unknown>> {
  try {
    return await rbd.info(image, { signal });
  } catch (thrown) {
    const missing = thrown instanceof CephbackupError && thrown.code === 'IMAGE_NOT_FOUND';
    if (!missing || !(await rbd.places.isMigrationSource(image, { signal }))) throw thrown;
    const message = `the image ${formatImage(image)} is the source of a migration`;
    throw new CephbackupError('IMAGE_MIGRATING', message, { cause: thrown });
  }
}

/** @throws CephbackupError SNAPSHOT_VANISHED */
export function snapshotNumber(snapshots: readonly RbdSnapshot[], snapshot: string): number {
  const found = snapshots.find(({ name }) => name === snapshot);
  if (found !== undefined) return found.id;
  throw new CephbackupError('SNAPSHOT_VANISHED', `the snapshot ${snapshot} was removed at once`);
}

/**
 * rbd prints its list at its end, so that nothing tells whether it makes progress. It asks for ten objects at a time: this
 * is as long as an answer of a very slow disk takes, 200 ms. The volume's own deadline is usually shorter.
 */
const listedObjectMs = 20;
const listingBaseMs = 600_000;

/** @param base lists what differs from this earlier snapshot, not what there is */
export async function listSnapshot(
  rbd: Rbd,
  image: ImageSpec,
  snapshot: string,
  wholeObject: boolean,
  { size, objectSize }: SnapshotFacts,
  signal: AbortSignal,
  base?: string,
): Promise<ExtentList> {
  let parser = new DiffParser({ size, objectSize });
  let failures: unknown[] = [];
  const listed = rbd.diff(image, snapshot, wholeObject, {
    signal,
    ...(base === undefined ? {} : { base }),
    deadlineMs: listingBaseMs + (size / objectSize) * listedObjectMs,
    patience: {},
    beforeAttempt: () => {
      parser = new DiffParser({ size, objectSize });
      failures = [];
    },
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
