import { CephbackupError } from '../../errors/error.js';
import type { StartDaemon } from '../../tools/process/daemon.js';
import type { Environment } from '../../tools/process/environment.js';
import type { Exec } from '../../tools/process/exec.js';
import { checkExt, checkXfs, filesystemFamily, type FsckPolicy } from '../../tools/node/fsck.js';
import { mount, mountedAt, safeMountOptions, unmount } from '../../tools/node/mount.js';
import { openNamespace, volumeDirectory, type MountNamespace } from '../../tools/node/namespace.js';
import { formatImage } from '../../tools/rbd/images.js';
import type { DirectorySource } from '../../repository/source.js';
import type { VolumeDriver, VolumeJob } from '../driver.js';
import type { MappedDevice, Mapper } from '../mappers/mapper.js';
import type { LocateImage } from './image.js';

export interface RbdFilesystemTools {
  exec: Exec;
  startDaemon: StartDaemon;
  env: Environment;
  mapper: Mapper;
  fsck: FsckPolicy;
  locate: LocateImage;
}

/** Mounts a writable clone of a snapshot: the filesystem was in use, so its journal must be replayed, never on the source. */
export class RbdFilesystemDriver implements VolumeDriver {
  constructor(private readonly tools: RbdFilesystemTools) {}

  async prepare(job: VolumeJob): Promise<DirectorySource> {
    const { volume, scope, signal, log } = job;
    const type = supportedType(volume.details?.fsType ?? 'ext4');
    const { rbd, image, cluster } = await this.tools.locate(volume, signal);
    const clone = { ...image, image: job.name };
    // Costs a few milliseconds that overlap with Ceph's.
    const opening = this.#openNamespace(job);
    opening.catch(() => undefined);

    const snapshot = `${formatImage(image)}@${job.name}`;
    scope.add({ kind: 'snapshot', name: snapshot, cluster }, () => rbd.removeSnapshot(image, job.name));
    job.pointInTime();
    job.step('taking snapshot');
    await rbd.createSnapshot(image, job.name, { signal });

    scope.add({ kind: 'clone', name: formatImage(clone), cluster }, () => rbd.removeImage(clone));
    await rbd.clone(image, job.name, clone, { signal });

    const namespace = await opening;
    job.step('mapping clone');
    const device = await this.tools.mapper.map({ image: clone, rbd, namespace, scope, cluster, signal, log });
    // Before the first of them: a mount that replays a log cannot be interrupted, and may be there after its command failed.
    scope.add({ kind: 'mount', name: `${volumeDirectory} (${job.name})`, cluster: null }, () =>
      unmount(this.tools.exec, namespace, volumeDirectory),
    );
    await this.#check(job, namespace, device, type);
    await this.#attach(job, namespace, device, type, 'ro');
    await this.#confirm(namespace, device);
    return {
      type: 'directory',
      namespace,
      path: volumeDirectory,
      resticOptions: [],
      confirm: () => this.#confirm(namespace, device),
    };
  }

  async #openNamespace({ scope }: VolumeJob): Promise<MountNamespace> {
    const opening = openNamespace(this.tools.startDaemon, this.tools.env);
    // It fails by itself where it fails, and `prepare` then says so.
    scope.add(null, async () => (await opening.catch(() => null))?.close());
    return opening;
  }

  async #check(
    job: VolumeJob,
    namespace: MountNamespace,
    device: MappedDevice,
    type: FilesystemType,
  ): Promise<void> {
    const { exec, fsck } = this.tools;
    const options = { namespace, signal: job.signal };
    const found = await filesystemFamily(exec, device.path, options);
    if (found === 'none') {
      throw new CephbackupError('FILESYSTEM_MISSING', 'the image is empty where its filesystem should be');
    }
    if (found !== familyOf(type)) {
      const what = found === 'other' ? 'something else' : found;
      throw new CephbackupError(
        'FILESYSTEM_MISMATCH',
        `the PersistentVolume names ${type}, the image contains ${what}`,
      );
    }
    job.step('checking filesystem');
    if (type === 'xfs') {
      // The kernel replays the log at a writable mount, and at no other.
      await this.#attach(job, namespace, device, type, 'rw');
      await unmount(exec, namespace, volumeDirectory);
      if (fsck === 'full') await checkXfs(exec, device, options);
      return;
    }
    const repaired = await checkExt(exec, device.path, fsck, options);
    if (repaired !== null) job.warn(repaired);
  }

  async #attach(
    job: VolumeJob,
    namespace: MountNamespace,
    device: MappedDevice,
    type: FilesystemType,
    access: 'ro' | 'rw',
  ): Promise<void> {
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

  /** The device below the mount point must be the clone's, before and after. */
  async #confirm(namespace: MountNamespace, device: MappedDevice): Promise<void> {
    const mounted = await mountedAt(namespace, volumeDirectory);
    if (mounted !== null && (await device.isBelow(mounted.device))) return;
    const found = mounted === null ? 'nothing' : `device ${mounted.device}`;
    throw new CephbackupError('MOUNT_WRONG', `${found} is mounted where the clone ${device.path} should be`);
  }
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
