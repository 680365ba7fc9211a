import { clientOptions, krbdOptions } from './client-options.js';
import { clusterOf, type CephCluster } from './clusters.js';
import { encryptionNote } from './encryption.js';
import { parseHandle, parseMigratedHandle, type VolumeHandle } from './handle.js';
import { plainDetails, type Identity } from './identity.js';
import { flag, text, type VolumeView } from './objects.js';

const nowhere = 'its PersistentVolume does not say which image it is';

/** An image of ceph-csi's RBD driver, however old the PersistentVolume. */
export function csiImage(pv: VolumeView, clusters: readonly CephCluster[] | null): Identity {
  const { attributes, handle: volumeHandle, fsType } = pv.csi;
  const handle = parseHandle(volumeHandle);
  const migrated = parseMigratedHandle(volumeHandle);
  const clusterID = text(attributes.clusterID) ?? handle?.clusterId ?? migrated?.clusterId ?? null;
  const cluster = clusterOf(clusters, clusterID);
  const pool = text(attributes.pool) ?? migrated?.pool ?? null;
  const poolId = pool === null ? (handle?.locationId ?? null) : null;
  const image = imageName(pv, handle, migrated?.image ?? null);
  const known = image !== null && (pool !== null || poolId !== null);
  const encrypted = flag(attributes.encrypted);
  return {
    // An encrypted image holds ciphertext; there is nothing in it to mount without its key.
    kind: !known ? null : pv.block || encrypted ? 'rbd-block' : 'rbd-filesystem',
    source: {
      cluster: clusterID,
      pool,
      // ceph-csi mounts what its own configuration says; the attribute is a copy from when the volume was made.
      radosNamespace: cluster?.radosNamespace ?? text(attributes.radosNamespace),
      image,
    },
    details: {
      ...plainDetails,
      fsType: fsType ?? plainDetails.fsType,
      poolId,
      monitors: cluster?.monitors ?? null,
      clientOptions: clientOptions(krbdOptions(text(attributes.mapOptions))),
      unsupported: known ? null : nowhere,
      encrypted,
      lazyTimes: lazyTimes(pv),
    },
    note: encrypted ? encryptionNote(text(attributes.encryptionKMSID)) : null,
  };
}

/** An image of Kubernetes' own driver, gone since 1.31; its objects live on in migrated clusters and in dumps. */
export function inTreeImage(pv: VolumeView, rbd: NonNullable<VolumeView['rbd']>): Identity {
  const { image, pool, fsType } = rbd;
  return {
    kind: image === null ? null : pv.block ? 'rbd-block' : 'rbd-filesystem',
    source: { cluster: null, pool: pool ?? 'rbd', radosNamespace: null, image },
    details: {
      ...plainDetails,
      fsType: fsType ?? plainDetails.fsType,
      unsupported: image === null ? nowhere : null,
      lazyTimes: lazyTimes(pv),
    },
    note: null,
  };
}

/** Several options may stand in one string, as mount takes them. */
function lazyTimes({ mountOptions }: VolumeView): boolean {
  return mountOptions.some((options) => options.split(',').includes('lazytime'));
}

/** The image that ceph-csi would map [ceph-csi internal/rbd/nodeserver.go, populateRbdVol]. */
function imageName(pv: VolumeView, handle: VolumeHandle | null, migrated: string | null): string | null {
  const { attributes, handle: volumeHandle } = pv.csi;
  const named = text(attributes.imageName);
  if (attributes.migration === 'true' || migrated !== null) return named ?? migrated;
  if (flag(attributes.staticVolume)) return volumeHandle;
  if (named !== null) return named;
  // Until 3.0, ceph-csi kept the name out of the attributes.
  if (handle !== null) return `${text(attributes.volumeNamePrefix) ?? 'csi-vol-'}${handle.uuid}`;
  // Until 1.0 it took the name from the mount path of the volume, where kubelet puts the PersistentVolume's name.
  const legacy = text(attributes.monitors) !== null || text(attributes.monValueFromSecret) !== null;
  return legacy || /^csi-rbd-vol-[-0-9a-f]{36}$/i.test(volumeHandle ?? '') ? text(pv.name) : null;
}
