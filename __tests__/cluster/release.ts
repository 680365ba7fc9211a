import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CephCluster } from '../../sandbox/ceph/cluster.js';
import { checkout } from '../../sandbox/checkout.js';

export const repositoryPassword = 'sandbox';

export interface Desk {
  /** The folder where the documented commands are typed. */
  folder: string;
  /** The repository, on the node's disk. */
  repository: string;
}

/** A folder with every file that docs/kubernetes.md asks for, and the checkout's `charts`. */
export async function layDesk(folder: string, cluster: CephCluster, more: object = {}): Promise<Desk> {
  const repository = path.join(folder, 'repository');
  await mkdir(repository);
  // Exactly the capabilities that the page names.
  const user = await cluster.createUser('cephbackup', {
    mon: 'profile rbd, allow r fsname=cephfs',
    mgr: 'allow module volumes rw',
    mds: 'allow r fsname=cephfs path=/volumes/csi',
    osd: 'profile rbd pool=rbd, allow r tag cephfs data=cephfs',
  });
  const conf = await readFile(cluster.conf, 'utf8');
  const monitors = /^mon_host = .*$/m.exec(conf)?.[0] ?? '';
  const files = {
    'ceph.conf': `[global]\n${monitors}\n`,
    keyring: await readFile(user.keyring, 'utf8'),
    'repository.env': `RESTIC_REPOSITORY=/repository\nRESTIC_PASSWORD=${repositoryPassword}\n`,
    'my-values.yaml': JSON.stringify({ ...values(repository), ...more }),
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(folder, name), text, { mode: 0o600 });
  }
  await symlink(path.join(checkout, 'charts'), path.join(folder, 'charts'));
  return { folder, repository };
}

function values(repository: string): object {
  return {
    image: {
      repository: process.env.CLUSTER_IMAGE_REPOSITORY,
      tag: process.env.CLUSTER_IMAGE_TAG,
      pullPolicy: 'Never',
    },
    ceph: { user: 'cephbackup', existingSecret: 'cephbackup-ceph' },
    repository: { existingSecret: 'cephbackup-repository' },
    // This machine's kernel has neither krbd nor CephFS, and its Ceph and API are on loopback.
    mapper: 'fuse',
    cephfsClient: 'fuse',
    hostNetwork: true,
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '2Gi' } },
    extraVolumes: [{ name: 'repository', hostPath: { path: repository, type: 'Directory' } }],
    extraVolumeMounts: [{ name: 'repository', mountPath: '/repository' }],
  };
}
