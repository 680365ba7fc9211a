import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import {
  createSubvolume,
  mountImage,
  mountShare,
  startCeph,
  whileMounted,
  writeFilesystem,
  type CephCluster,
  type RunningCeph,
} from '../../sandbox/ceph.js';
import { imageClaim, shareClaim } from '../../sandbox/claims.js';
import { checkout } from '../../sandbox/checkout.js';
import { startKube, type SandboxKube } from '../../sandbox/kube/index.js';
import { attempt, run } from '../../sandbox/process.js';
import { stageEnvironment } from '../../sandbox/stage.js';
import { searchPath } from '../../sandbox/tools.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import type { KubeObject } from '../../lib/kube/types.js';
import { runCephbackup } from '../support/cephbackup.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectSameTree, makeHostileTree } from '../support/tree.js';

const MiB = 1024 * 1024;
const disk = randomBytesOf(3, 6 * MiB + 1001);
const picture = randomBytesOf(4, MiB);

/** A Ceph and a Kubernetes of their own, which end together. */
interface Site {
  ceph: RunningCeph;
  cluster: CephCluster;
  kube: SandboxKube;
}

async function build(folder: string): Promise<Site> {
  const [ceph, kube] = await Promise.all([
    startCeph({ dir: path.join(folder, 'ceph') }),
    startKube({ dir: path.join(folder, 'kube') }),
  ]);
  return { ceph, cluster: ceph.cluster, kube };
}

async function destroy({ ceph, kube }: Site): Promise<void> {
  await Promise.all([ceph.stop(), kube.stop()]);
}

/** What the old cluster has: one volume of each kind. */
async function furnish({ cluster, kube }: Site, tree: string, folder: string): Promise<void> {
  await cluster.createImage('rbd/old-database', 96 * MiB);
  await writeFilesystem(cluster, 'rbd/old-database', 'ext4', async (root) => {
    await run('cp', ['--archive', '--sparse=always', `${tree}/.`, root]);
  });
  await writeFile(path.join(folder, 'disk'), disk);
  await cluster.run('rbd', ['import', '--no-progress', path.join(folder, 'disk'), 'rbd/old-disk']);
  const share = { filesystem: 'cephfs', group: 'csi', subvolume: 'old-share', size: 32 * MiB };
  const where = await createSubvolume(cluster, { ...share, name: 'old-share' });
  await whileMounted(mountShare(cluster, 'cephfs', where), (root) => writeFile(`${root}/picture`, picture));
  const database = { image: 'rbd/old-database', size: 96 * MiB, fsType: 'ext4' };
  const machine = { image: 'rbd/old-disk', size: 7 * MiB, fsType: null };
  await kube.seed([
    ...imageClaim(cluster, { namespace: 'shop', name: 'database' }, database),
    ...imageClaim(cluster, { namespace: 'vms', name: 'disk' }, machine),
    ...shareClaim(cluster, { namespace: 'team', name: 'share' }, { ...share, path: where }),
  ]);
}

test('the cluster is lost: everything comes back from the repository and its password, by the documented commands', async () => {
  const folder = await temporaryFolder('drill');
  const repository = await freshRepository();
  const tree = path.join(folder, 'tree');
  await mkdir(tree);
  await makeHostileTree(tree);

  const old = await build(path.join(folder, 'old'));
  let oldName = '';
  const oldFsid = old.cluster.fsid;
  try {
    await furnish(old, tree, folder);
    const env = stageEnvironment(old.cluster, old.kube, repository.env);
    const done = await runCephbackup(['run'], { env });
    expect(done).toMatchObject({ code: 0 });
    const { body } = await old.kube.request('GET', '/api/v1/namespaces/kube-system');
    oldName = (body as KubeObject).metadata?.uid ?? '';
  } finally {
    await destroy(old);
  }
  await rm(path.join(folder, 'old'), { recursive: true, force: true });
  await rm(repository.env.RESTIC_CACHE_DIR, { recursive: true, force: true });

  const page = await readFile(path.join(checkout, 'docs/disaster-recovery.md'), 'utf8');
  /** Runs a command that the page shows, word by word, with what differs here put in. */
  const documented = async (command: string, env: Record<string, string>, ...more: string[]) => {
    expect(page.split('\n')).toContain(command);
    const [shown = ''] = command.split(' | ');
    const words = shown.replace('/srv', folder).replace('OLD', oldName).split(' ').slice(1);
    const result = await runCephbackup([...words, ...more], { env });
    expect(result).toMatchObject({ code: 0 });
    return result;
  };

  // Nothing but the repository.
  const bare = { PATH: searchPath(), HOME: folder, TMPDIR: folder, ...repository.env };
  const { stdout: list } = await documented('cephbackup snapshots --cluster all', bare);
  for (const claim of ['database', 'disk', 'share', oldName]) expect(list).toContain(claim);
  await documented('cephbackup restore shop/database --cluster OLD --to-directory /srv/database', bare);
  await expectSameTree(tree, path.join(folder, 'database'), { except: (file) => file === 'lost+found' });

  const site = await build(path.join(folder, 'new'));
  try {
    const { cluster, kube } = site;
    const plain = stageEnvironment(cluster, kube, repository.env);
    // As the page says: ceph-csi's list names the new cluster's monitors for the old `clusterID`, too.
    const clusters = path.join(folder, 'config.json');
    const entries = [oldFsid, cluster.fsid].map((id) => ({ clusterID: id, monitors: cluster.monitors }));
    await writeFile(clusters, JSON.stringify(entries));
    const env = { ...plain, CEPHBACKUP_CEPH_CLUSTERS: clusters };
    /** As `kubectl apply`, and the controller that binds. */
    const apply = async (command: string) => {
      const { json } = await documented(command, env, '-o', 'json');
      const { items } = json as { items: KubeObject[] };
      await kube.seed(items.map((item) => ({ ...item, status: { phase: 'Bound' } })));
    };

    await documented('cephbackup restore shop/database --cluster OLD --to-image rbd/shop-database', env);
    await apply(
      'cephbackup manifests shop/database --cluster OLD --to-image rbd/shop-database | kubectl apply -f -',
    );
    await documented('cephbackup restore vms/disk --cluster OLD --to-image rbd/vms-disk', env);
    await apply('cephbackup manifests vms/disk --cluster OLD --to-image rbd/vms-disk | kubectl apply -f -');

    // What the storage class's provisioner does with the claim that is applied.
    const claimOnly = 'cephbackup manifests team/share --cluster OLD --claim-only | kubectl apply -f -';
    const { json } = await documented(claimOnly, env, '-o', 'json');
    expect((json as { items: KubeObject[] }).items.map(({ kind }) => kind)).toEqual([
      'PersistentVolumeClaim',
    ]);
    const share = { filesystem: 'cephfs', group: 'csi', subvolume: 'new-share', size: 32 * MiB };
    const where = await createSubvolume(cluster, { ...share, name: 'new-share' });
    await kube.seed(shareClaim(cluster, { namespace: 'team', name: 'share' }, { ...share, path: where }));
    await documented('cephbackup restore team/share --cluster OLD --to-pvc team/share', env);

    await whileMounted(mountImage(cluster, 'rbd/shop-database', 'ext4'), (root) =>
      expectSameTree(tree, root, { except: (file) => file === 'lost+found' }),
    );
    await whileMounted(mountShare(cluster, 'cephfs', where), async (root) => {
      expect((await readFile(`${root}/picture`)).equals(picture)).toBe(true);
    });
    const exported = path.join(folder, 'exported');
    await cluster.run('rbd', ['export', '--no-progress', 'rbd/vms-disk', exported]);
    expect((await readFile(exported)).equals(disk)).toBe(true);

    // The new cluster is backed up beside the old one, and each sees its own.
    const again = await runCephbackup(['run', '-o', 'json'], { env });
    expect(again).toMatchObject({ code: 0 });
    // Who does not give the list is told that these are another cluster's.
    const unlisted = await runCephbackup(['run', '-o', 'json', '--pvc', 'vms/disk'], { env: plain });
    expect(unlisted.json).toMatchObject({ volumes: [{ error: { code: 'CLUSTER_MISMATCH' } }] });
    expect((again.json as { volumes: unknown[] }).volumes).toHaveLength(3);
    const count = async (...args: string[]) => {
      const { json: found } = await runCephbackup(['snapshots', '-o', 'json', ...args], { env });
      return (found as { claims: { snapshots: unknown[] }[] }).claims.map(
        ({ snapshots }) => snapshots.length,
      );
    };
    expect(await count()).toEqual([1, 1, 1]);
    expect(await count('--cluster', oldName)).toEqual([1, 1, 1]);
    expect(await count('--cluster', 'all')).toHaveLength(6);
    await withoutThisProgram(page, cluster, folder, repository.env, oldName);
  } finally {
    await destroy(site);
  }
});

/** The page's last section: restic, qemu-img and rbd alone. */
async function withoutThisProgram(
  page: string,
  cluster: CephCluster,
  folder: string,
  env: Record<string, string>,
  oldName: string,
): Promise<void> {
  const sh = async (command: string, id: string) => {
    expect(page.split('\n')).toContain(command);
    const text = command
      .replace('ID', id)
      .replace('/srv/database', 'by-hand')
      .replace('rbd/vms-disk', 'rbd/by-hand');
    const all = { PATH: searchPath(), HOME: folder, ...cluster.env, ...env };
    const { code, stderr, stdout } = await attempt('sh', ['-ec', text], { cwd: folder, env: all });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };
  const idOf = async (claim: string) => {
    const { stdout } = await attempt(
      'restic',
      ['snapshots', '--json', '--tag', `cluster=${oldName},pvc=${claim}`],
      {
        env: { PATH: searchPath(), HOME: folder, ...env },
      },
    );
    return (JSON.parse(stdout) as { id: string }[])[0]?.id ?? '';
  };
  const [database, machine] = [await idOf('database'), await idOf('disk')];
  expect(await sh('restic snapshots --host k8s-shop-nspvc-database', '')).toContain(database.slice(0, 8));
  await sh('restic restore ID --target /srv/database --sparse --verify', database);
  expect((await stat(path.join(folder, 'by-hand/links/first'))).nlink).toBe(3);
  await sh('restic dump ID /disk.qcow2 > disk.qcow2', machine);
  await sh('qemu-img convert -f qcow2 -O raw disk.qcow2 disk.raw', machine);
  await sh('rbd import disk.raw rbd/vms-disk', machine);
  expect((await readFile(path.join(folder, 'disk.raw'))).subarray(0, disk.length).equals(disk)).toBe(true);
  expect(await sh('restic dump --host k8s-manifests latest /manifests.json', '')).toContain('"claims"');
}
