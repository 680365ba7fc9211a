import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { rfc3339 } from '../../log/time.js';
import type { Scope } from '../../ownership/scope.js';
import type { Ceph } from '../../tools/ceph/ceph.js';
import { lastLine } from '../../tools/process/outcome.js';
import { printable } from '../../log/logger.js';
import { makeFilesystem } from '../../tools/node/mkfs.js';
import { parseMkfsOptions } from '../../tools/node/new-filesystem.js';
import { unmount } from '../../tools/node/mount.js';
import { openNamespace, volumeDirectory, type MountNamespace } from '../../tools/node/namespace.js';
import { formatImage, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { NewImage } from '../../tools/rbd/write.js';
import type { FilesystemType } from '../../volumes/rbd/filesystem.js';
import type { MappedDevice, Mapper } from '../../volumes/mappers/mapper.js';
import type { HoldTools } from '../hold.js';
import type { RestoreJob } from '../job.js';
import { formattingKey, markerValue } from '../formatting-marker.js';
import { decide, unlessRefused, type FormattingMarker } from '../overwrite.js';
import type { WritableDirectory } from './confined.js';
import { MappedFilesystem } from './mapped-filesystem.js';

export interface FilesImageTarget {
  image: ImageSpec;
  tools: HoldTools & { ceph: Ceph; mapper: Mapper };
  /** The filesystem of an image that has none yet; one that is there must be of this type. */
  type: FilesystemType;
  /** `mkfsOptions` of the PersistentVolume. */
  mkfsOptions: string | null;
  /** A new image of this size, in bytes; null: the image has to exist. */
  newSize: number | null;
  /** How a new image is made. */
  made: NewImage;
  /** Further checks that nobody uses the target, made whenever the image itself is checked. */
  confirmUnused: () => Promise<void>;
}

/** What is known of an image before it is mapped. */
export interface ImageState {
  /** There is nothing but zeros in it. */
  blank: boolean;
  sizeBytes: number;
  marker: FormattingMarker | null;
}

export interface ImageFilesystem extends WritableDirectory {
  /** Whether it was made by this restore. */
  formatted: boolean;
  /** Until everything has been written to the image. @throws CephbackupError RESTORE_FAILED */
  flush(): Promise<void>;
}

/**
 * Maps an image and mounts its filesystem for writing, in a private mount namespace. An image without a filesystem gets
 * one; one with content is refused without force, and is not written to before that is known.
 *
 * @param scope is released by the caller: only then has everything reached the image
 * @param confirm that nobody else uses the image
 * @throws CephbackupError TARGET_EXISTS, FILESYSTEM_MISMATCH, FILESYSTEM_CORRUPT, MAP_FAILED, MOUNT_FAILED …
 */
export async function openImageFilesystem(
  job: RestoreJob,
  scope: Scope,
  target: FilesImageTarget,
  state: ImageState,
  confirm: () => Promise<unknown>,
): Promise<ImageFilesystem> {
  const { exec, signal } = job;
  const { image } = target;
  const mapped = await mapFilesystem(job, scope, target);
  const { namespace, filesystem } = mapped;
  await confirm();
  const formatted = (await decideOn(job, target, filesystem, state)) === 'format';
  if (formatted) {
    await format(job, target, mapped, state.sizeBytes);
  } else {
    job.state = 'incomplete';
    // There is a whole filesystem: what the mark says is over.
    if (state.marker !== null) await target.tools.writer.removeMetadata(image, formattingKey, { signal });
    await filesystem.repair(job.warn);
  }
  await mountFilesystem(job, scope, target, mapped, 'rw');
  return {
    namespace,
    path: volumeDirectory,
    formatted,
    flush: async () => {
      // Fails also where the kernel could not write something earlier.
      const result = await exec('sync', ['--file-system', '--', volumeDirectory], {
        namespace,
        signal,
        deadlineMs: 3_600_000,
      });
      if (result.exitCode === 0) return;
      const message = `${formatImage(image)} did not take everything: ${lastLine(result.stderr)}`;
      throw new CephbackupError('RESTORE_FAILED', message);
    },
  };
}

/** @throws CephbackupError TARGET_EXISTS, FILESYSTEM_MISMATCH */
async function decideOn(
  { force }: RestoreJob,
  { image, newSize }: FilesImageTarget,
  filesystem: MappedFilesystem,
  { blank, marker }: ImageState,
) {
  const { found, detail } = blank ? { found: 'blank' as const, detail: null } : await filesystem.find(!force);
  const shown = `the image ${formatImage(image)}${detail === null ? '' : ` (${detail})`}`;
  const target = newSize === null ? ('claim' as const) : ('image' as const);
  // A new image was made by this restore, and is blank: nobody has to permit that it is formatted.
  const permitted = force || (blank && target === 'image');
  return unlessRefused(decide({ target, content: 'files', found, marker, force: permitted }), shown);
}

/** The filesystem of an image that is mapped, in a mount namespace of its own. */
export interface Mapped {
  namespace: MountNamespace;
  device: MappedDevice;
  filesystem: MappedFilesystem;
}

type MappingJob = Pick<RestoreJob, 'exec' | 'signal' | 'log'>;

/** @throws CephbackupError NAMESPACE_FAILED, MAP_FAILED … */
export async function mapFilesystem(
  { exec, signal, log }: MappingJob,
  scope: Scope,
  { image, tools, type }: FilesImageTarget,
): Promise<Mapped> {
  const namespace = await openNamespace(tools.startDaemon, tools.env);
  scope.add(null, () => namespace.close());
  const { rbd, mapper } = tools;
  const device = await mapper.map({ image, rbd, namespace, scope, cluster: null, signal, log });
  return { namespace, device, filesystem: new MappedFilesystem(exec, namespace, device, type, signal) };
}

/** Mounts it at `volumeDirectory`. @throws CephbackupError MOUNT_FAILED, MOUNT_WRONG */
export async function mountFilesystem(
  { exec }: MappingJob,
  scope: Scope,
  { image }: FilesImageTarget,
  { namespace, filesystem }: Mapped,
  access: 'ro' | 'rw',
): Promise<void> {
  scope.add({ kind: 'mount', name: `${volumeDirectory} (${formatImage(image)})`, cluster: null }, () =>
    unmount(exec, namespace, volumeDirectory),
  );
  await filesystem.mount(access);
}

/** Notes on the image that it is being done, so that an interrupted one can be told from somebody's data. */
async function format(
  job: RestoreJob,
  { image, tools, type, mkfsOptions }: FilesImageTarget,
  { namespace, device }: Mapped,
  sizeBytes: number,
): Promise<void> {
  const { exec, signal } = job;
  job.step(`formatting ${formatImage(image)} as ${type}`);
  if (mkfsOptions !== null && parseMkfsOptions(type, mkfsOptions) === null)
    job.warn(`mkfsOptions of the volume are left out, because not all are known: ${printable(mkfsOptions)}`);
  job.state = 'incomplete';
  const scope = job.newScope();
  let begun = false;
  let made = false;
  scope.add(null, async () => {
    // What was begun and not ended is half a filesystem: the note stays beside it.
    if (!begun || made) await tools.writer.removeMetadata(image, formattingKey);
  });
  try {
    const note = markerValue({ restore: job.id, time: rfc3339(Date.now()) });
    await tools.writer.setMetadata(image, formattingKey, note, { signal });
    begun = true;
    const making = { options: mkfsOptions, was: job.layout, entries: job.entries, sizeBytes };
    await makeFilesystem(exec, device.path, type, making, { namespace, signal });
    made = true;
  } catch (thrown) {
    // Nothing was started.
    if (asCephbackupError(thrown).code === 'TOOL_MISSING') begun = false;
    throw thrown;
  } finally {
    job.leftovers.push(...(await scope.release()));
  }
}
