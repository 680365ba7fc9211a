import { clientOptions } from './client-options.js';
import { clusterOf, type CephCluster } from './clusters.js';
import { parseHandle, type VolumeHandle } from './handle.js';
import { plainDetails, type Identity } from './identity.js';
import { flag, text, type Fields, type VolumeView } from './objects.js';

/** In which ceph-csi makes its subvolumes unless it is told otherwise. */
const defaultGroup = 'csi';

interface Subvolume {
  group: string | null;
  subvolume: string | null;
}

/** A subvolume or a directory of ceph-csi's CephFS driver, however old the PersistentVolume. */
export function csiDirectory(pv: VolumeView, clusters: readonly CephCluster[] | null): Identity {
  const { attributes, handle: volumeHandle } = pv.csi;
  const handle = parseHandle(volumeHandle);
  const clusterID = text(attributes.clusterID) ?? handle?.clusterId ?? null;
  const cluster = clusterOf(clusters, clusterID);
  const fs = text(attributes.fsName);
  const path = mountedPath(attributes, volumeHandle, handle);
  const prefix = text(attributes.volumeNamePrefix) ?? 'csi-vol-';
  const named = text(attributes.subvolumeName) ?? (handle && `${prefix}${handle.uuid}`);
  const group = text(attributes.subvolumeGroup) ?? cluster?.subvolumeGroup ?? defaultGroup;
  const located = path === null ? null : locate(path);
  const { group: inGroup, subvolume } = located ?? unlocated(path, named, group);
  const known = path !== null || subvolume !== null;
  const encrypted = flag(attributes.encrypted);
  const snapshotId = text(attributes.backingSnapshotID);
  return {
    kind: known ? 'cephfs' : null,
    source: { cluster: clusterID, fs, group: inGroup, subvolume, path },
    details: {
      ...plainDetails,
      fsType: pv.csi.fsType ?? plainDetails.fsType,
      fsId: fs === null ? (handle?.locationId ?? null) : null,
      monitors: cluster?.monitors ?? null,
      clientOptions: clientOptions(text(attributes.kernelMountOptions), cluster?.kernelMountOptions ?? null),
      encrypted,
      snapshotBacked:
        snapshotId !== null || flag(attributes.backingSnapshot) || isShallow(path, located, attributes),
      backingSnapshot: snapshotId === null ? null : snapshotName(snapshotId),
      unsupported: !known
        ? 'its PersistentVolume does not say which subvolume or directory it is'
        : encrypted
          ? 'it is encrypted by fscrypt, which gives a mount without its key only encrypted names'
          : null,
    },
    note: null,
  };
}

/** A directory of Kubernetes' own driver, gone since 1.31. */
export function inTreeDirectory({ path: named }: NonNullable<VolumeView['cephfs']>): Identity {
  const path = tidy(named ?? '/');
  const { group, subvolume } = locate(path) ?? { group: null, subvolume: null };
  return {
    kind: 'cephfs',
    source: { cluster: null, fs: null, group, subvolume, path },
    details: plainDetails,
    note: null,
  };
}

/**
 * What ceph-csi would mount [ceph-csi internal/cephfs/nodeserver.go, getVolumeOptions]: it looks at the handle first,
 * so that a copy of a dynamic volume's handle means that volume whatever else is said; then at `rootPath`.
 */
function mountedPath(
  attributes: Fields,
  volumeHandle: string | null,
  handle: VolumeHandle | null,
): string | null {
  const rootPath = text(attributes.rootPath);
  const subvolumePath = text(attributes.subvolumePath);
  if (handle !== null && !handle.suffixed) {
    const path = subvolumePath ?? rootPath;
    if (path === null) return null;
    // A `rootPath` beside such a handle was never used: it counts only as far as it tells where the subvolume is.
    return subvolumePath === null ? rootOf(tidy(path)) : tidy(path);
  }
  const path = rootPath ?? subvolumePath;
  if (path !== null) return tidy(path);
  // Until 1.0, ceph-csi had a folder of its own for the volumes it made.
  return text(attributes.monitors) !== null && flag(attributes.provisionVolume) && volumeHandle !== null
    ? tidy(`/csi-volumes/${volumeHandle}`)
    : null;
}

/** A volume whose path lies in no subvolume: a directory, or a subvolume whose path the PersistentVolume does not say. */
function unlocated(path: string | null, named: string | null, group: string): Subvolume {
  return path === null && named !== null ? { group, subvolume: named } : { group: null, subvolume: null };
}

/** Where Ceph keeps subvolumes: `/volumes/<group>/<subvolume>/<uuid>`, and without the uuid those of version 1. */
function locate(path: string): Subvolume | null {
  const [, root, group = '', subvolume = '', ...rest] = path.split('/');
  if (root !== 'volumes' || group === '' || subvolume === '') return null;
  // `_nogroup` holds the subvolumes without a group; Ceph's other folders that begin so hold no subvolumes.
  if (group.startsWith('_') && group !== '_nogroup') return null;
  return [group, subvolume, ...rest].includes('..') ? null : { group, subvolume };
}

/** The subvolume's own path where a path lies in one, else null. */
function rootOf(path: string): string | null {
  return locate(path) === null ? null : path.split('/').slice(0, 5).join('/');
}

/**
 * A volume that shows a snapshot gets a subvolume's name that nothing has, and the path of its snapshot's subvolume
 * without the uuid [ceph-csi internal/cephfs/store/volumeoptions.go, populateVolumeOptionsFromBackingSnapshot].
 */
function isShallow(path: string | null, located: Subvolume | null, attributes: Fields): boolean {
  const named = text(attributes.subvolumeName);
  return path?.split('/').length === 4 && located !== null && named !== null && named !== located.subvolume;
}

/** ceph-csi names the snapshots it makes by the uuid in their handle; other ids are names. */
function snapshotName(id: string): string {
  const handle = parseHandle(id);
  return handle === null ? id : `csi-snap-${handle.uuid}`;
}

/** Absolute, without empty steps and a slash at the end. */
function tidy(path: string): string {
  return `/${path
    .split('/')
    .filter((step) => step !== '' && step !== '.')
    .join('/')}`;
}
