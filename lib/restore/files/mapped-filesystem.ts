import { CephbackupError } from '../../errors/error.js';
import type { Exec } from '../../tools/process/exec.js';
import { checkExt, checkXfs, examineExt } from '../../tools/node/fsck.js';
import { mount, mountedAt, safeMountOptions, unmount } from '../../tools/node/mount.js';
import { volumeDirectory, type MountNamespace } from '../../tools/node/namespace.js';
import { readSuperblock } from '../../tools/node/superblock.js';
import { familyOf, type FilesystemType } from '../../volumes/rbd/filesystem.js';
import type { MappedDevice } from '../../volumes/mappers/mapper.js';
import type { Found } from '../overwrite.js';
import { hasContent } from './confined.js';
import { hasDirtyLog } from './unclean.js';

export interface FoundFilesystem {
  found: Found;
  /** What it is, where that says more. */
  detail: string | null;
}

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

  /**
   * What an image contains that is not blank. Writes nothing: not even the journal is replayed.
   * @param inside whether to look at its files, too; if not, a filesystem counts as one with content
   * @throws CephbackupError COMMAND_FAILED, MOUNT_FAILED, MOUNT_WRONG
   */
  async find(inside: boolean): Promise<FoundFilesystem> {
    const { exec, device, type } = this;
    const superblock = await readSuperblock(exec, device.path, this.#options);
    if (superblock.type === 'zeros' || superblock.type === 'unknown') {
      return { found: 'unfinished', detail: null };
    }
    if (superblock.type === 'foreign') return { found: 'foreign', detail: superblock.name };
    if (superblock.type !== familyOf(type)) {
      return { found: 'foreign', detail: `it should be ${type}, and is ${superblock.type}` };
    }
    if (superblock.type === 'xfs' && superblock.unfinished) return { found: 'unfinished', detail: null };
    if (!inside) return { found: 'content', detail: null };
    const unclean =
      superblock.type === 'ext' ? superblock.unclean : await hasDirtyLog(exec, device.path, this.#options);
    return { found: unclean ? 'unclean' : await this.#look(), detail: null };
  }

  async #look(): Promise<Found> {
    await this.mount('ro', this.type === 'xfs' ? 'norecovery' : 'noload');
    const content = await hasContent({ namespace: this.namespace, path: volumeDirectory });
    await unmount(this.exec, this.namespace, volumeDirectory);
    return content ? 'content' : 'empty';
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
