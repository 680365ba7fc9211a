import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MountNamespace } from '../namespace.js';
import type { CephCluster } from './cluster.js';

/** Filesystems of images, and how they are made and mounted here. */
const filesystems = {
  ext2: { mkfs: ['mkfs.ext2', '-q', '-F'], options: '' },
  ext3: { mkfs: ['mkfs.ext3', '-q', '-F'], options: '' },
  ext4: { mkfs: ['mkfs.ext4', '-q', '-F'], options: '' },
  xfs: { mkfs: ['mkfs.xfs', '-q', '-f'], options: ',nouuid' },
  btrfs: { mkfs: ['mkfs.btrfs', '-q', '-f'], options: '' },
} as const;

export type FilesystemType = keyof typeof filesystems;

/** A volume that somebody uses: mounted, with a client that watches it. */
export interface MountedVolume {
  /** Where its root is, for this process and its children. Nobody else sees the mount. */
  path: string;
  /** Writes out everything and lets go of the volume. */
  unmount(): Promise<void>;
}

/** An image as a file that can be read and written, in a namespace of its own. */
export interface AttachedImage {
  namespace: MountNamespace;
  /** A folder for mounts and the like. */
  folder: string;
  /** The image, as a path within the namespace. */
  file: string;
  /** The same, seen from outside. */
  path: string;
  detach(): Promise<void>;
}

/**
 * Opens an image as a pod's node does: read-write, with a watch and the exclusive lock.
 *
 * @param shared a namespace in which other things are mounted, too; default: one of its own, which goes with it
 */
export async function attachImage(
  cluster: CephCluster,
  image: string,
  shared: MountNamespace | null = null,
): Promise<AttachedImage> {
  const folder = await mkdtemp(path.join(cluster.dir, 'image-'));
  const exported = path.join(folder, 'export');
  const file = path.join(exported, 'image');
  await Promise.all([mkdir(exported), mkdir(path.join(folder, 'root'))]);
  await writeFile(file, '');
  const namespace = shared ?? (await MountNamespace.create());
  const blockdev = `driver=rbd,node-name=n,${qemuAddress(image)},conf=${escape(cluster.conf)}`;
  const fuse = `type=fuse,id=e,node-name=n,mountpoint=${escape(file)},writable=on`;
  const args = ['--blockdev', `${blockdev},discard=unmap`, '--export', fuse];
  const daemon = await namespace.server('qemu-storage-daemon', args, {
    folder: exported,
    log: path.join(folder, 'log'),
    env: cluster.env,
  });
  const detach = async () => {
    // Told to end, it writes out what it still has.
    await daemon.stop('SIGTERM');
    if (shared === null) await namespace.close();
    await rm(folder, { recursive: true, force: true });
  };
  const outside = namespace.path(file);
  try {
    // The file is empty until the image is in its place.
    await daemon.until(async () => (await stat(outside)).size > 0);
  } catch (thrown) {
    await detach();
    throw thrown;
  }
  return { namespace, folder, file, path: outside, detach };
}

/** Makes a filesystem on an image. */
export async function formatImage(
  cluster: CephCluster,
  image: string,
  type: FilesystemType,
  options: string[] = [],
): Promise<void> {
  const attached = await attachImage(cluster, image);
  try {
    await format(attached, type, options);
  } finally {
    await attached.detach();
  }
}

/** Mounts an image that has a filesystem, and keeps it in use until `unmount`. */
export async function mountImage(
  cluster: CephCluster,
  image: string,
  type: FilesystemType,
): Promise<MountedVolume> {
  return mount(await attachImage(cluster, image), type);
}

/** Makes a filesystem on an image, lets `fill` write into it, and unmounts it cleanly. */
export async function writeFilesystem(
  cluster: CephCluster,
  image: string,
  type: FilesystemType,
  fill: (root: string) => Promise<void>,
): Promise<void> {
  const attached = await attachImage(cluster, image);
  try {
    await format(attached, type, []);
  } catch (thrown) {
    await attached.detach();
    throw thrown;
  }
  await whileMounted(mount(attached, type), fill);
}

/** Looks into a volume, or writes to it; it is unmounted whatever comes of that. */
export async function whileMounted<T>(
  mounting: Promise<MountedVolume>,
  look: (root: string) => Promise<T>,
): Promise<T> {
  const mounted = await mounting;
  try {
    return await look(mounted.path);
  } finally {
    await mounted.unmount();
  }
}

async function format(
  { namespace, file }: AttachedImage,
  type: FilesystemType,
  options: string[],
): Promise<void> {
  const [program, ...args] = filesystems[type].mkfs;
  await namespace.run(program, [...args, ...options, file]);
}

/** @param root where, in the image's namespace */
export async function mount(
  attached: AttachedImage,
  type: FilesystemType,
  root = path.join(attached.folder, 'root'),
): Promise<MountedVolume> {
  const { namespace, file } = attached;
  try {
    await namespace.run('mount', ['-t', type, '-o', `loop${filesystems[type].options}`, file, root]);
  } catch (thrown) {
    await attached.detach();
    throw thrown;
  }
  const unmount = async () => {
    await namespace.run('umount', [root]);
    await attached.detach();
  };
  return { path: namespace.path(root), unmount };
}

/** `POOL[/NAMESPACE]/IMAGE` in QEMU's words. */
function qemuAddress(image: string): string {
  const parts = image.split('/').map(escape);
  const [pool = '', namespace = '', name = ''] = parts.length === 3 ? parts : [parts[0], '', parts[1]];
  return `pool=${pool},${namespace === '' ? '' : `namespace=${namespace},`}image=${name}`;
}

/** A comma separates QEMU's options, unless it is doubled. */
function escape(value: string): string {
  return value.replaceAll(',', ',,');
}
