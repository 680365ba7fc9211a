import { csiDirectory, inTreeDirectory } from './cephfs-source.js';
import type { CephCluster } from './clusters.js';
import { plainDetails, type Identity } from './identity.js';
import type { VolumeView } from './objects.js';
import { csiImage, inTreeImage } from './rbd-source.js';

/** Kind and place of a volume; null where it is not Ceph's. */
export function identify(pv: VolumeView, clusters: readonly CephCluster[] | null): Identity | null {
  const { driver } = pv.csi;
  if (isDriver(driver, 'rbd.csi.ceph.com')) return csiImage(pv, clusters);
  if (isDriver(driver, 'cephfs.csi.ceph.com')) return csiDirectory(pv, clusters);
  if (isDriver(driver, 'nfs.csi.ceph.com')) {
    const unsupported = 'volumes of nfs.csi.ceph.com are not supported';
    return { kind: null, source: null, details: { ...plainDetails, unsupported }, note: null };
  }
  if (pv.rbd !== null) return inTreeImage(pv, pv.rbd);
  return pv.cephfs === null ? null : inTreeDirectory(pv.cephfs);
}

/** Several installations of one driver have prefixes: `rook-ceph.rbd.csi.ceph.com`. */
function isDriver(driver: string | null, name: string): boolean {
  return driver === name || driver?.endsWith(`.${name}`) === true;
}
