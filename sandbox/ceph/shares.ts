import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { MountNamespace } from '../namespace.js';
import type { CephCluster } from './cluster.js';
import type { MountedVolume } from './images.js';

export interface SubvolumeName {
  filesystem: string;
  group: string;
  name: string;
}

/**
 * Creates a subvolume, and its group if need be, as ceph-csi does for a claim.
 * @param size bytes @param isolated with its data in a RADOS namespace of its own @returns its path in the filesystem
 */
export async function createSubvolume(
  cluster: CephCluster,
  { filesystem, group, name }: SubvolumeName,
  size?: number,
  isolated = false,
): Promise<string> {
  const namespace = isolated ? ' --namespace-isolated' : '';
  const quota = size === undefined ? '' : ` --size ${size}`;
  const output = await cluster.ceph(
    `fs subvolumegroup create ${filesystem} ${group}`,
    `fs subvolume create ${filesystem} ${name} --group_name ${group}${quota}${namespace}`,
    `fs subvolume getpath ${filesystem} ${name} --group_name ${group}`,
  );
  const where = output.split('\n').find((line) => line.startsWith('/'));
  if (where === undefined) throw new Error(`no path in what ceph says: ${output}`);
  return where;
}

/** Mounts a folder of a CephFS with ceph-fuse, and keeps it in use until `unmount`. */
export async function mountShare(
  cluster: CephCluster,
  filesystem: string,
  directory = '/',
): Promise<MountedVolume> {
  const folder = await mkdtemp(path.join(cluster.dir, 'share-'));
  const root = path.join(folder, 'root');
  await mkdir(root);
  const namespace = await MountNamespace.create();
  // With ACLs, as the kernel's client has them.
  const acls = ['--client_acl_type=posix_acl', '--fuse_default_permissions=0'];
  const args = ['-f', root, '-r', directory, '--client_fs', filesystem, '--conf', cluster.conf, ...acls];
  // In a process namespace of its own: ceph-fuse remounts itself by a shell that outlives it, if it is killed just then,
  // and waits for ever on the connection that it has inherited.
  const alone = ['--pid', '--fork', '--kill-child=KILL', '--', 'ceph-fuse', ...args];
  const daemon = namespace.daemon('unshare', alone, path.join(folder, 'log'));
  const letGo = async () => {
    // unshare ignores SIGTERM while it waits for its child.
    await daemon.stop('SIGKILL');
    await namespace.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await daemon.until(() => namespace.mounted(` ${root} fuse.ceph-fuse `));
  } catch (thrown) {
    await letGo();
    throw thrown;
  }
  const unmount = async () => {
    await namespace.run('umount', [root]);
    // Its session at the MDS ends with it, which takes a moment.
    await daemon.ended();
    await letGo();
  };
  return { path: namespace.path(root), unmount };
}
