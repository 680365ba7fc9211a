import { csiDirectory, inTreeDirectory } from './cephfs-source.js';
import { parseHandle } from './handle.js';
import { plainDetails, type Identity } from './identity.js';
import { flag, text, type VolumeView } from './objects.js';
import type { Policy } from './policy.js';
import { csiImage, inTreeImage } from './rbd-source.js';
import { quote } from './warnings.js';

/** Kind and place of a volume; null where it is not Ceph's. */
export function identify(
  pv: VolumeView,
  { clusters, drivers }: Pick<Policy, 'clusters' | 'drivers'>,
): Identity | null {
  const { driver } = pv.csi;
  const named = drivers.find(({ name }) => name === driver)?.type;
  if (named === 'rbd' || isDriver(driver, 'rbd.csi.ceph.com'))
    return inKnownCluster(csiImage(pv, clusters), clusters);
  if (named === 'cephfs' || isDriver(driver, 'cephfs.csi.ceph.com'))
    return inKnownCluster(csiDirectory(pv, clusters), clusters);
  if (isDriver(driver, 'nfs.csi.ceph.com'))
    return unsupported('volumes of nfs.csi.ceph.com are not supported');
  if (driver !== null && looksLikeCeph(pv)) {
    return unsupported(
      `its CSI driver ${quote(driver)} is not known, but its attributes are Ceph's: say what it is with --driver NAME=rbd or NAME=cephfs`,
    );
  }
  if (pv.rbd !== null) return inTreeImage(pv, pv.rbd);
  return pv.cephfs === null ? null : inTreeDirectory(pv.cephfs);
}

function unsupported(why: string): Identity {
  return { kind: null, source: null, details: { ...plainDetails, unsupported: why }, note: null };
}

/** Several installations of one driver have prefixes: `rook-ceph.rbd.csi.ceph.com`. */
function isDriver(driver: string | null, name: string): boolean {
  return driver === name || driver?.endsWith(`.${name}`) === true;
}

/** A driver under another name writes the attributes of Ceph's all the same: a gap in coverage that should be seen. */
function looksLikeCeph({ csi: { handle, attributes } }: VolumeView): boolean {
  if (parseHandle(handle) !== null) return true;
  if (text(attributes.clusterID) === null) return false;
  const image = text(attributes.imageName) !== null || flag(attributes.staticVolume);
  return (text(attributes.pool) !== null && image) || text(attributes.fsName) !== null;
}

/** An image of a cluster that is not in the list could be looked for in ceph.conf's, where another may have its name. */
function inKnownCluster(identity: Identity, clusters: Policy['clusters']): Identity {
  const cluster = identity.source?.cluster ?? null;
  const { details } = identity;
  if (clusters === null || cluster === null || details.unsupported !== null) return identity;
  if (clusters.some(({ clusterID }) => clusterID === cluster)) return identity;
  const why = `its clusterID ${quote(cluster)} is not in the list of --ceph-clusters`;
  return { ...identity, details: { ...details, unsupported: why } };
}
