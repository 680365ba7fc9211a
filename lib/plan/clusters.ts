import { CephbackupError } from '../errors/error.js';
export interface CephCluster {
  clusterID: string;
  monitors: string[];
  radosNamespace: string | null;
  subvolumeGroup: string | null;
}
export function parseClusters(text: string, file: string): CephCluster[] {
  try {
    return (
      JSON.parse(text) as {
        clusterID: string;
        monitors?: string[];
        rbd?: { radosNamespace?: string };
        cephFS?: { subvolumeGroup?: string };
      }[]
    ).map((c) => ({
      clusterID: c.clusterID,
      monitors: c.monitors ?? [],
      radosNamespace: c.rbd?.radosNamespace ?? null,
      subvolumeGroup: c.cephFS?.subvolumeGroup ?? null,
    }));
  } catch {
    throw new CephbackupError('USAGE', `${file}: not ceph-csi's config.json`);
  }
}
