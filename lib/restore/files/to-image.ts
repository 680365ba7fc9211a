import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { formatImage } from '../../tools/rbd/image-spec.js';
import { isBlank } from '../block/read-image.js';
import { holdImage, type ImageHold } from '../hold.js';
import type { RestoreJob, RestoreOutcome } from '../job.js';
import { requireRoomOfImage } from '../room.js';
import { markerIn } from '../formatting-marker.js';
import { decide, unlessRefused } from '../overwrite.js';
import { openImageFilesystem, type FilesImageTarget, type ImageState } from './image-filesystem.js';
import { refuseLinkedParents, requirePart, restoreFiles } from './restic-files.js';
import { restoreRoot } from './root-directory.js';
import { adoptOwner } from './root-owner.js';

/**
 * Restores files into the filesystem of an image: a new image, or one that exists and nobody uses. An image that was
 * never formatted is formatted.
 *
 * @throws CephbackupError TARGET_…, FILESYSTEM_…, MAP_FAILED, MOUNT_FAILED, PATH_NOT_FOUND, RESTORE_FAILED …
 */
export async function filesToImage(
  job: RestoreJob,
  target: FilesImageTarget,
  part: string | null,
): Promise<RestoreOutcome> {
  const { image, tools, confirmUnused } = target;
  if (part !== null) await requirePart(job, part);
  const existing = await sizeOf(target, job.signal);
  const creation = mustBeMade(job, target, existing) ? await createImage(job, target) : null;
  const hold = await holdImage(job, image, tools);
  await confirmUnused();
  await requireSpace(job, target, existing);
  const sizeBytes = existing ?? target.newSize ?? 0;
  const state =
    creation === null ? await stateOf(job, target, sizeBytes) : { blank: true, marker: null, sizeBytes };
  const outcome = await writeFiles(job, target, { hold, state, part, begun: () => creation?.keep() });
  // Only what was unmounted and unmapped is known to be in the image.
  await Promise.all([hold.check(), confirmUnused()]);
  job.state = 'complete';
  return outcome;
}

interface Writing {
  hold: ImageHold;
  state: ImageState;
  part: string | null;
  /** Called before the first file is written. */
  begun: () => void;
}

async function writeFiles(
  job: RestoreJob,
  target: FilesImageTarget,
  writing: Writing,
): Promise<RestoreOutcome> {
  const { image, confirmUnused } = target;
  const { hold, state, part, begun } = writing;
  const scope = job.newScope();
  // This image is opened by the mapping, too.
  const confirm = () => Promise.all([hold.check(1), confirmUnused()]);
  try {
    const filesystem = await openImageFilesystem(job, scope, target, state, confirm);
    await refuseLinkedParents(filesystem, part);
    begun();
    job.step(`restoring files into ${formatImage(image)}`, part === null ? job.backup.sizeBytes : null);
    const { files, bytes } = await restoreFiles(job, filesystem, part);
    const whole = part === null || filesystem.formatted;
    const told = whole && (await restoreRoot(job, filesystem));
    if (filesystem.formatted && !told) await adoptOwner(job, filesystem);
    await filesystem.flush();
    await confirm();
    job.step(`unmounting ${formatImage(image)}`);
    const [first] = await scope.release();
    if (first === undefined) return { bytesWritten: bytes, files, diskSize: null };
    throw new CephbackupError('RESTORE_FAILED', `the filesystem could not be unmounted: ${first.reason}`);
  } finally {
    job.leftovers.push(...(await scope.release()));
  }
}

/** @throws CephbackupError TARGET_EXISTS, TARGET_NOT_FOUND */
function mustBeMade(
  { force }: RestoreJob,
  { image, newSize }: FilesImageTarget,
  existing: number | null,
): boolean {
  const decision = decide({
    target: newSize === null ? 'claim' : 'image',
    content: 'files',
    found: existing === null ? 'nothing' : 'something',
    marker: null,
    force,
  });
  return unlessRefused(decision, `the image ${formatImage(image)}`) === 'create';
}

/** Files may have holes, so that they take less than they seem to; they never take more than the image has. */
async function requireSpace(
  { backup, signal }: RestoreJob,
  { image, tools, newSize }: FilesImageTarget,
  existing: number | null,
): Promise<void> {
  const most = Math.min(backup.sizeBytes ?? 0, existing ?? newSize ?? 0);
  const used = existing === null ? 0 : await tools.writer.usedBytes(image, { signal });
  await requireRoomOfImage(tools, image, most - used, signal);
}

async function stateOf(
  { signal }: RestoreJob,
  { image, tools }: FilesImageTarget,
  sizeBytes: number,
): Promise<ImageState> {
  const metadata = await tools.rbd.metadata(image, { signal });
  return { marker: markerIn(metadata), blank: await isBlank(tools.writer, image, signal), sizeBytes };
}

/** An image of which nothing is kept where the restore fails before its first file; interrupted, it can be completed. */
async function createImage(job: RestoreJob, { image, tools, newSize, made }: FilesImageTarget) {
  const { signal } = job;
  let kept = true;
  job.scope.add(null, async () => {
    if (kept || signal.aborted) return;
    await tools.rbd.removeImage(image);
    job.state = 'removed';
  });
  job.step(`creating ${formatImage(image)}`);
  job.state = 'incomplete';
  try {
    await tools.writer.create(image, newSize ?? 0, made, { signal });
    kept = false;
  } catch (thrown) {
    // Somebody else made it meanwhile: it is theirs.
    if (asCephbackupError(thrown).code === 'TARGET_EXISTS') job.state = 'untouched';
    throw thrown;
  }
  return {
    keep: () => {
      kept = true;
    },
  };
}

async function sizeOf({ image, tools }: FilesImageTarget, signal: AbortSignal): Promise<number | null> {
  try {
    const { size } = await tools.rbd.info(image, { signal });
    return typeof size === 'number' ? size : null;
  } catch (thrown) {
    if (asCephbackupError(thrown).code === 'IMAGE_NOT_FOUND') return null;
    throw thrown;
  }
}
