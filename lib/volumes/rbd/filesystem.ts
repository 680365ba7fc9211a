import { CephbackupError } from '../../errors/error.js';
import type { StartDaemon } from '../../tools/process/daemon.js';
import type { Environment } from '../../tools/process/environment.js';
import type { Exec } from '../../tools/process/exec.js';
import { checkExt, checkXfs, probeFilesystem, xfsUnmounted, type FsckPolicy } from '../../tools/node/fsck.js';
import { readLayout } from '../../tools/node/filesystem-layout.js';
import { extErrors, mount, mountedAt, remount, safeMountOptions, unmount } from '../../tools/node/mount.js';
import { volumeDirectory, type MountNamespace } from '../../tools/node/namespace.js';
import { formatImage, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';
import { filesystemNote } from '../../repository/filesystem-note.js';
import { newestChangeIn, newestChangeNote } from '../../repository/newest-change-note.js';
import type { DirectorySource, StreamSource } from '../../repository/source.js';
import type { RbdBlockDriver } from '../block/driver.js';
import { tellRefused, type VolumeDriver, type VolumeJob } from '../driver.js';
import { rootOptions } from '../root-directory.js';
import type { MappedDevice, Mapper } from '../mappers/mapper.js';
import { refuseDangling } from './dangling.js';
import { findChanges, hotSince, markHotFiles } from './hot-files.js';
import type { LocateImage } from './image.js';
import { takeOwnSnapshot } from './own-snapshot.js';
import { namespaceInScope } from '../namespace.js';
import { unlessAborted } from '../../waiting/within.js';
import type { EpochMs } from '../../log/time.js';

export interface RbdFilesystemTools {
  exec: Exec;
  startDaemon: StartDaemon;
  env: Environment;
  mapper: Mapper;
  fsck: FsckPolicy;
  locate: LocateImage;
  /** For filesystems that cannot be mended. */
  stream: Pick<RbdBlockDriver, 'existing'>;
}

/** Mounts a writable clone of a snapshot: the filesystem was in use, so its journal must be replayed, never on the source. */
export class RbdFilesystemDriver implements VolumeDriver {
  constructor(private readonly tools: RbdFilesystemTools) {}

  async prepare(job: VolumeJob): Promise<DirectorySource> {
    const { volume, scope, signal, log } = job;
    const type = supportedType(volume.details?.fsType ?? 'ext4');
    tellRefused(job);
    const { rbd, image, cluster } = await this.tools.locate(volume, signal);
    const clone = { ...image, image: job.name };
    // Costs a few milliseconds that overlap with Ceph's.
    const opening = namespaceInScope(this.tools, job);
    opening.catch(() => undefined);

    const readingPool = dataPoolOf(rbd, image, signal);
    readingPool.catch(() => undefined);
    const pointInTime = await takeOwnSnapshot(job, { rbd, image, cluster });
    const dataPool = await readingPool;
    const features = await this.tools.mapper.cloneFeatures();

    scope.add({ kind: 'clone', name: formatImage(clone), cluster }, () => rbd.removeImage(clone));
    await rbd.clone(image, job.name, clone, { features, dataPool }, { signal });

    const namespace = await opening;
    job.step('mapping clone');
    const device = await this.tools.mapper.map({
      ...{ image: clone, rbd, namespace, scope, cluster, signal, log },
      mapOptions: volume.details?.clientOptions.used ?? [],
    });
    // Before the first of them: a mount that replays a log cannot be interrupted, and may be there after its command failed.
    scope.add({ kind: 'mount', name: `${volumeDirectory} (${job.name})`, cluster: null }, () =>
      unmount(this.tools.exec, namespace, volumeDirectory),
    );
    const mounting = { job, namespace, device, type };
    const { unmounted, wholeSeconds } = await this.#check(mounting);
    const use = unmounted ? null : { at: pointInTime, wholeSeconds };
    const newest = await this.#mount(mounting, use);
    const errors = await this.#errorsCounted(namespace);
    return {
      type: 'directory',
      namespace,
      path: volumeDirectory,
      readAll: volume.details?.lazyTimes
        ? 'the volume is mounted with `lazytime`, so that the times of its files are late'
        : null,
      resticOptions: [
        ...(await rootOptions(job, this.tools.exec, namespace)),
        ...(await layoutOptions(this.tools.exec, device.path, { namespace, signal })),
        ...(newest === null ? [] : [`--exclude=${newestChangeNote(newest)}`]),
      ],
      confirm: async () => {
        await this.#confirm(namespace, device);
        const seen = await this.#errorsCounted(namespace);
        if (seen === errors) return;
        throw new CephbackupError(
          'FILESYSTEM_CORRUPT',
          `the kernel met ${seen - errors} errors of the filesystem while it was read`,
        );
      },
    };
  }

  /** Not of the clone: a repair that came to no end has changed it. */
  image(job: VolumeJob): Promise<StreamSource> {
    return this.tools.stream.existing(job);
  }

  /**
   * Checks the filesystem, with its journal or log replayed. Returns whether it was unmounted when the snapshot was taken, and
   * whether files may have times in whole seconds.
   */
  async #check({ job, namespace, device, type }: Mounting): Promise<Checked> {
    const { exec, fsck } = this.tools;
    const options = { namespace, signal: job.signal };
    const { family, unmounted, wholeSeconds } = await probeFilesystem(exec, device.path, options);
    if (family === 'none') {
      throw new CephbackupError('FILESYSTEM_MISSING', 'the image is empty where its filesystem should be');
    }
    if (family !== familyOf(type)) {
      const what = family === 'other' ? 'something else' : family;
      throw new CephbackupError(
        'FILESYSTEM_MISMATCH',
        `the PersistentVolume names ${type}, the image contains ${what}`,
      );
    }
    job.step('checking filesystem');
    if (type === 'xfs') {
      const clean = await xfsUnmounted(exec, device.path, options);
      if (fsck === 'full') {
        // The kernel replays the log at a writable mount, and at no other; the check wants it replayed.
        await this.#attach({ job, namespace, device, type }, 'rw');
        await unmount(exec, namespace, volumeDirectory);
        await checkXfs(exec, device, options);
      }
      return { unmounted: clean, wholeSeconds };
    }
    const repaired = await checkExt(exec, device.path, fsck, options);
    if (repaired !== null) job.warn(repaired);
    // The kernel's own driver of ext2, where it has one, keeps no parts of a second, whatever the superblock says.
    return { unmounted: unmounted ?? false, wholeSeconds: wholeSeconds || type === 'ext2' };
  }

  /**
   * Leaves the clone mounted for reading. What may have been written to when the snapshot was taken is marked before.
   * @param use null where nothing can have been on its way when the snapshot was taken
   * @returns when the newest change was made, where it was looked for
   */
  async #mount(mounting: Mounting, use: Use | null): Promise<EpochMs | null> {
    const { job, namespace, device, type } = mounting;
    const { exec } = this.tools;
    // XFS replays its log at a writable mount only; on a loop device that was made for reading, ext4 counts no errors.
    const writable = use !== null || type === 'xfs' || device.loop;
    await this.#attach(mounting, writable ? 'rw' : 'ro');
    await this.#confirm(namespace, device);
    const newest = use === null ? null : await this.#markHotFiles(mounting, use);
    const options = { namespace, signal: job.signal };
    // Who looks for changes looks at every file.
    if (use === null && type === 'xfs') await refuseDangling(exec, volumeDirectory, options);
    const readOnly = ['ro', ...safeMountOptions()];
    if (writable) await remount(exec, { ...options, directory: volumeDirectory, options: readOnly });
    return newest;
  }

  /** Returns when the newest change was made, by the clock of whoever made it. */
  async #markHotFiles(
    { job, namespace }: Mounting,
    { at: taken, wholeSeconds }: Use,
  ): Promise<EpochMs | null> {
    const { exec } = this.tools;
    const { signal, log } = job;
    const previous = await unlessAborted(job.parent(), signal);
    const previousNewest = newestChangeIn(previous?.excludes ?? []);
    job.step('marking files that may have been written to');
    const options = { namespace, signal };
    const looking = { known: previousNewest, until: taken };
    const { newest, latest } = await findChanges(exec, volumeDirectory, looking, options);
    const since = hotSince({ taken, newest, previousNewest });
    // Where nothing is as late as that, there is nothing to walk for once more.
    if (latest === null || latest < since) return newest;
    const count = await markHotFiles(exec, volumeDirectory, { since, wholeSeconds }, options);
    if (count > 0)
      log.info('files changed just before the snapshot: the next run reads them again', { count });
    return newest;
  }

  async #attach({ job, namespace, device, type }: Mounting, access: 'ro' | 'rw'): Promise<void> {
    const options = [
      access,
      ...safeMountOptions(),
      ...(device.loop ? ['loop'] : []),
      // A tenant's superblock must not decide that an error panics the node; original and clone share their UUID.
      ...(type === 'xfs' ? ['nouuid'] : ['errors=remount-ro']),
    ];
    const request = { device: device.path, directory: volumeDirectory, type, options, namespace };
    await mount(this.tools.exec, request, { signal: job.signal });
  }

  /**
   * How many errors the kernel has met in the mounted filesystem. ext4 skips what it cannot read of some directories, counts
   * it, and tells nobody else. Always 0 where the filesystem does not count.
   */
  async #errorsCounted(namespace: MountNamespace): Promise<number> {
    const mounted = await mountedAt(namespace, volumeDirectory);
    return mounted === null ? 0 : extErrors(mounted.device);
  }

  /** The device below the mount point must be the clone's, before and after. */
  async #confirm(namespace: MountNamespace, device: MappedDevice): Promise<void> {
    const mounted = await mountedAt(namespace, volumeDirectory);
    if (mounted !== null && (await device.isBelow(mounted.device))) return;
    const found = mounted === null ? 'nothing' : `device ${mounted.device}`;
    throw new CephbackupError('MOUNT_WRONG', `${found} is mounted where the clone ${device.path} should be`);
  }
}

interface Mounting {
  job: VolumeJob;
  namespace: MountNamespace;
  device: MappedDevice;
  type: FilesystemType;
}

/** What looking at the clone's filesystem told. */
interface Checked {
  unmounted: boolean;
  wholeSeconds: boolean;
}

/** A filesystem that was in use when its snapshot was taken. */
interface Use {
  at: EpochMs;
  wholeSeconds: boolean;
}

/**
 * Where the image keeps its data, if not where its metadata are: what a repair writes to the clone belongs there, too.
 */
async function dataPoolOf(rbd: Rbd, image: ImageSpec, signal: AbortSignal): Promise<string | null> {
  const { data_pool: pool } = await rbd.info(image, { signal });
  return typeof pool === 'string' ? pool : null;
}

const supported = ['ext2', 'ext3', 'ext4', 'xfs'] as const;
export type FilesystemType = (typeof supported)[number];

/** @throws CephbackupError FILESYSTEM_UNSUPPORTED */
export function supportedType(named: string): FilesystemType {
  const type = supported.find((name) => name === named);
  if (type !== undefined) return type;
  throw new CephbackupError(
    'FILESYSTEM_UNSUPPORTED',
    `the PersistentVolume names the filesystem ${JSON.stringify(named)}`,
  );
}

export function familyOf(type: FilesystemType): 'ext' | 'xfs' {
  return type === 'xfs' ? 'xfs' : 'ext';
}

/** The option by which restic notes how the filesystem was made. */
async function layoutOptions(
  exec: Exec,
  device: string,
  options: { namespace: MountNamespace; signal: AbortSignal },
): Promise<string[]> {
  const layout = await readLayout(exec, device, options);
  return layout === null ? [] : [`--exclude=${filesystemNote(layout)}`];
}
