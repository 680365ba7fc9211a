import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import type { Ceph } from '../../tools/ceph/ceph.js';
import { formatImage, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { NewImage } from '../../tools/rbd/write.js';
import { holdImage, type HoldTools, type ImageHold } from '../hold.js';
import type { RestoreJob, RestoreOutcome } from '../job.js';
import { decide, unlessRefused, type Found } from '../overwrite.js';
import { poolUsage, requireRoomOfImage, type PoolUsage } from '../room.js';
import { ContentDigest, firstDifference } from './content-digest.js';
import { readDisk, type DiskSource, type KnownDisk } from './disk-source.js';
import { applyMetadata, planMetadata } from './image-metadata.js';
import { importStream } from './import-stream.js';
import { allOf } from '../../waiting/all-of.js';
import { digestImage, isBlank } from './read-image.js';

export interface ImageTools extends HoldTools {
  ceph: Ceph;
}

export interface ImageTarget {
  image: ImageSpec;
  tools: ImageTools;
  /** A claim's own image, which has to exist, or one that was named. */
  kind: 'claim' | 'image';
  /** How a new image is made. */
  made: NewImage;
  /** `rbd image-meta` as it was saved with the backup: where the disk is encrypted, its wrapped key. Null: not known. */
  metadata: Record<string, string> | null;
  /** Further checks that nobody uses the target, made whenever the image itself is checked. */
  confirmUnused: () => Promise<void>;
}

/**
 * Writes a block backup into an image: a new one of exactly the disk's size, or one that exists and is at least as large.
 * Nothing is staged anywhere, what is zero stays unallocated, and in the end the image is read back and compared.
 *
 * @throws CephbackupError TARGET_…, BACKUP_DAMAGED, RESTORE_FAILED, RESTORE_UNVERIFIED …
 */
export async function diskToImage(
  job: RestoreJob,
  target: ImageTarget,
  known: KnownDisk,
): Promise<RestoreOutcome> {
  const { image, tools, confirmUnused } = target;
  const usage = poolUsage(tools.ceph, job.signal);
  const found = await findImage(job, target);
  const existing = found?.sizeBytes ?? null;
  let hold = found === null ? null : await acquire(job, target);
  if (found?.look === true) await refuseContent(job, target);

  const digest = new ContentDigest();
  const outcome: RestoreOutcome = { bytesWritten: 0, files: null, diskSize: null };
  await readDisk(job, known, async (disk) => {
    outcome.diskSize = disk.sizeBytes;
    refuseTooSmall(image, disk.sizeBytes, existing);
    if (existing === null) await createImage(job, target, disk.sizeBytes);
    const [, held] = await allOf([
      requireSpace(job, target, disk, existing, usage),
      hold ?? acquire(job, target),
    ]);
    hold = held;
    job.step(`writing ${formatImage(image)}`, job.backup.sizeBytes);
    job.state = 'incomplete';
    const stream = importStream({
      image: disk.image,
      diskBytes: disk.sizeBytes,
      targetBytes: existing ?? disk.sizeBytes,
      erase: existing !== null,
      onData: (offset, bytes) => {
        digest.push(offset, bytes);
        outcome.bytesWritten += bytes.length;
        job.moved(bytes.length);
      },
    });
    await tools.writer.importDiff(image, stream, { signal: job.signal });
  });
  await confirm(hold, confirmUnused);
  job.step(`reading ${formatImage(image)} back`, job.backup.sizeBytes);
  const [read, metadata] = await allOf([
    digestImage(tools.writer, image, job),
    target.metadata === null ? null : tools.rbd.metadata(image, { signal: job.signal }),
  ]);
  const difference = firstDifference(digest.finish(), read);
  if (difference !== null) {
    const where = `in the 64 MiB at offset ${difference}`;
    throw new CephbackupError('RESTORE_UNVERIFIED', `${formatImage(image)} differs from the backup ${where}`);
  }
  await adoptMetadata(job, target, metadata);
  await confirm(hold, confirmUnused);
  job.state = 'complete';
  return outcome;
}

interface Existing {
  sizeBytes: number;
  /** Whether what is in it decides. */
  look: boolean;
}

/** The target, as it is; null where it is to be created. @throws CephbackupError TARGET_EXISTS, TARGET_NOT_FOUND */
async function findImage(job: RestoreJob, target: ImageTarget): Promise<Existing | null> {
  const sizeBytes = await sizeOf(job, target);
  const decision = decideOn(job, target, sizeBytes === null ? 'nothing' : 'something');
  return sizeBytes === null ? null : { sizeBytes, look: decision === 'look' };
}

async function sizeOf({ signal }: RestoreJob, { image, tools }: ImageTarget): Promise<number | null> {
  try {
    const { size } = await tools.rbd.info(image, { signal });
    if (typeof size === 'number') return size;
  } catch (thrown) {
    if (asCephbackupError(thrown).code === 'IMAGE_NOT_FOUND') return null;
    throw thrown;
  }
  throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'rbd info: no size');
}

/** @throws CephbackupError TARGET_EXISTS, TARGET_NOT_FOUND */
function decideOn({ force }: RestoreJob, { image, kind }: ImageTarget, found: Found) {
  const situation = { target: kind, content: 'disk', found, marker: null, force } as const;
  return unlessRefused(decide(situation), `the image ${formatImage(image)}`);
}

async function acquire(job: RestoreJob, { image, tools, confirmUnused }: ImageTarget): Promise<ImageHold> {
  const hold = await holdImage(job, image, tools);
  await confirmUnused();
  return hold;
}

async function confirm(hold: ImageHold | null, confirmUnused: () => Promise<void>): Promise<void> {
  await Promise.all([hold?.check(), confirmUnused()]);
}

/** @throws CephbackupError TARGET_EXISTS */
async function refuseContent(job: RestoreJob, target: ImageTarget): Promise<void> {
  const blank = await isBlank(target.tools.writer, target.image, job.signal);
  decideOn(job, target, blank ? 'blank' : 'content');
}

function refuseTooSmall(image: ImageSpec, size: number, existing: number | null): void {
  if (existing === null || existing >= size) return;
  const message = `${formatImage(image)} has ${existing} bytes, the backup ${size}`;
  throw new CephbackupError('TARGET_TOO_SMALL', message);
}

/** @throws CephbackupError TARGET_FULL */
async function requireSpace(
  job: RestoreJob,
  { image, tools }: ImageTarget,
  { image: disk }: DiskSource,
  existing: number | null,
  usage: Promise<PoolUsage>,
): Promise<void> {
  const { signal } = job;
  const used = existing === null ? 0 : await tools.writer.usedBytes(image, { signal });
  await requireRoomOfImage(tools, image, disk.allocatedBytes - used, signal, usage);
}

async function createImage(job: RestoreJob, target: ImageTarget, size: number): Promise<void> {
  const { image, tools, made } = target;
  job.step(`creating ${formatImage(image)}`);
  let created = false;
  // What failed halfway is of no use, and would fill the pool; what was interrupted may be completed.
  job.scope.add(null, async () => {
    if (!created || job.state !== 'incomplete' || job.signal.aborted) return;
    await tools.rbd.removeImage(image);
    job.state = 'removed';
  });
  job.state = 'incomplete';
  try {
    await tools.writer.create(image, size, made, { signal: job.signal });
    created = true;
  } catch (thrown) {
    // Somebody else made it meanwhile: it is theirs.
    if (asCephbackupError(thrown).code === 'TARGET_EXISTS') job.state = 'untouched';
    throw thrown;
  }
}

/** Also where the image existed: whatever it held before, it holds this disk now. */
async function adoptMetadata(
  { signal }: RestoreJob,
  { image, tools, kind, metadata }: ImageTarget,
  current: Record<string, string> | null,
): Promise<void> {
  if (metadata === null || current === null) return;
  await applyMetadata(tools, image, planMetadata(kind, metadata, current), signal);
}
