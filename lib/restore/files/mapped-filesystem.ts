import { CephbackupError } from '../../errors/error.js';
import type { Exec } from '../../tools/process/exec.js';
import { checkExt, checkXfs, examineExt, filesystemFamily } from '../../tools/node/fsck.js';
import { mount, mountedAt, safeMountOptions, unmount } from '../../tools/node/mount.js';
import { volumeDirectory, type MountNamespace } from '../../tools/node/namespace.js';
import { familyOf, type FilesystemType } from '../../volumes/rbd/filesystem.js';
import type { MappedDevice } from '../../volumes/mappers/mapper.js';
import { hasContent } from './confined.js';
import { isUnclean } from './unclean.js';

/** The filesystem on a mapped image that is to be written to. */
export class MappedFilesystem {
  constructor(
    private readonly exec: Exec,
    private readonly namespace: MountNamespace,
    private readonly device: MappedDevice,
    private readonly type: FilesystemType,
    private readonly signal: AbortSignal,
  ) {}

  get #options() {
    return { namespace: this.namespace, signal: this.signal };
  }

  /** @throws CephbackupError FILESYSTEM_MISMATCH */
  async requireType(): Promise<void> {
    const found = await filesystemFamily(this.exec, this.device.path, this.#options);
    if (found === familyOf(this.type)) return;
    const what = { none: 'data, but no filesystem', other: 'something else', ext: 'ext', xfs: 'xfs' }[found];
    const message = `the filesystem should be ${this.type}, the image contains ${what}`;
    throw new CephbackupError('FILESYSTEM_MISMATCH', message);
  }

  /** Looks without writing: not even the journal is replayed. @throws CephbackupError TARGET_EXISTS */
  async refuseContent(image: string): Promise<void> {
    if (await isUnclean(this.exec, this.device.path, this.type, this.#options)) {
      const message = `the filesystem of ${image} was not unmounted cleanly: what it contains is not known`;
      throw new CephbackupError('TARGET_EXISTS', message);
    }
    await this.mount('ro', this.type === 'xfs' ? 'norecovery' : 'noload');
    const content = await hasContent({ namespace: this.namespace, path: volumeDirectory });
    await unmount(this.exec, this.namespace, volumeDirectory);
    if (content) throw new CephbackupError('TARGET_EXISTS', `the filesystem of ${image} has content`);
  }

  /** An xfs replays its log when it is mounted. @throws CephbackupError FILESYSTEM_CORRUPT */
  async repair(warn: (text: string) => void): Promise<void> {
    if (this.type === 'xfs') return;
    const repaired = await checkExt(this.exec, this.device.path, 'preen', this.#options);
    if (repaired !== null) warn(repaired);
  }

  /** Looks through it while it is not mounted, and writes nothing. @throws CephbackupError FILESYSTEM_CORRUPT */
  async examine(): Promise<void> {
    if (this.type === 'xfs') await checkXfs(this.exec, this.device, this.#options);
    else await examineExt(this.exec, this.device.path, this.#options);
  }

  /** @throws CephbackupError MOUNT_FAILED, MOUNT_WRONG */
  async mount(access: 'ro' | 'rw', ...more: string[]): Promise<void> {
    const { type, device, namespace } = this;
    const options = [
      access,
      ...safeMountOptions(),
      ...(device.loop ? ['loop'] : []),
      ...(type === 'xfs' ? ['nouuid'] : ['errors=remount-ro']),
      // The rest of the inode tables is left to whoever uses the volume: zeros that nobody needs yet.
      ...(type === 'ext4' && access === 'rw' ? ['noinit_itable'] : []),
      ...more,
    ];
    const request = { device: device.path, directory: volumeDirectory, type, options, namespace };
    await mount(this.exec, request, { signal: this.signal });
    const mounted = await mountedAt(namespace, volumeDirectory);
    if (mounted !== null && (await device.isBelow(mounted.device))) return;
    throw new CephbackupError('MOUNT_WRONG', `what is mounted is not the image at ${device.path}`);
  }
}
