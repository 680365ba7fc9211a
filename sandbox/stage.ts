import path from 'node:path';
import { startCeph, type CephCluster } from './ceph.js';
import { startKube, type SandboxKube } from './kube/index.js';
import { Repository, type ResticEnvironment } from './repository.js';
import { searchPath } from './tools.js';
import { otherClaims, startSamples } from './workload/samples.js';
import type { Workload } from './workload/workload.js';

/** Everything that cephbackup needs, with volumes that are in use. */
export interface Stage {
  cluster: CephCluster;
  kube: SandboxKube;
  repository: Repository;
  workloads: Workload[];
  /** The configuration of cephbackup, restic and Ceph's programs. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** @param folder where all of it is kept @param tell is told what comes next */
export async function setStage(folder: string, tell: (text: string) => void): Promise<Stage> {
  tell('a Ceph cluster, a Kubernetes API and a restic repository');
  const [ceph, kube, repository] = await Promise.all([
    startCeph({ dir: path.join(folder, 'ceph') }),
    startKube({ dir: path.join(folder, 'kube') }),
    Repository.create(path.join(folder, 'restic'), { quick: true }),
  ]);
  const { cluster } = ceph;
  tell('volumes, and somebody who writes to each of them');
  const workloads = await startSamples(cluster);
  await kube.seed([...workloads.flatMap(({ objects }) => objects), ...otherClaims(cluster)]);
  return {
    cluster,
    kube,
    repository,
    workloads,
    env: stageEnvironment(cluster, kube, repository.env),
    stop: async () => {
      await Promise.all(workloads.map((workload) => workload.stop()));
      await Promise.all([kube.stop(), ceph.stop()]);
    },
  };
}

/** FUSE works on every kernel, also where there is neither rbd nor ceph. */
export function stageEnvironment(
  cluster: CephCluster,
  kube: SandboxKube,
  repository: ResticEnvironment,
): Record<string, string> {
  return {
    PATH: searchPath(),
    KUBECONFIG: kube.kubeconfig,
    CEPH_CONF: cluster.conf,
    CEPHBACKUP_CEPH_CONF: cluster.conf,
    CEPHBACKUP_MAPPER: 'fuse',
    CEPHBACKUP_CEPHFS_CLIENT: 'fuse',
    ...repository,
  };
}
