/** What ceph-csi's volume handles say. */
export interface VolumeHandle {
  clusterId: string;
  /** RBD: the pool's id; CephFS: the filesystem's. Null where it is no number that can be one. */
  locationId: number | null;
  uuid: string;
  /** Whether something follows: ceph-csi itself does not read such a handle. Static volumes are told apart so. */
  suffixed: boolean;
}

export interface MigratedHandle {
  /** MD5 of the monitors' list, which is the clusterID that ceph-csi has to know the cluster by. */
  clusterId: string;
  pool: string | null;
  image: string;
}

/**
 * A dynamic volume's handle, or a snapshot's: `0001-<length of the clusterID, 4 hex digits>-<clusterID>-<pool or
 * filesystem id, 16 hex digits>-<uuid>` [ceph-csi internal/util/volid.go]. A clusterID contains dashes.
 */
export function parseHandle(handle: string | null): VolumeHandle | null {
  const head = /^0001-([0-9a-f]{4})-/i.exec(handle ?? '');
  if (handle === null || head === null) return null;
  const end = head[0].length + parseInt(head[1] ?? '', 16);
  const tail =
    /^-([0-9a-f]{16})-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?![0-9a-f])/i.exec(
      handle.slice(end),
    );
  const [whole = '', location = '', uuid = ''] = tail ?? [];
  const clusterId = handle.slice(head[0].length, end);
  if (tail === null || clusterId === '') return null;
  const id = BigInt(`0x${location}`);
  const locationId = id <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(id) : null;
  return { clusterId, locationId, uuid, suffixed: handle.length > end + whole.length };
}

/**
 * The handle that Kubernetes gives a migrated in-tree volume: `mig_mons-<md5>_image-<name without its common
 * prefix>_<pool in hex>` [ceph-csi internal/rbd/migration.go].
 */
export function parseMigratedHandle(handle: string | null): MigratedHandle | null {
  const match = /^mig_mons-([^_]+)_image-([^_]+)_([0-9a-f]*)$/i.exec(handle ?? '');
  if (match === null) return null;
  const [, clusterId = '', image = '', pool = ''] = match;
  const name = Buffer.from(pool, 'hex').toString();
  return { clusterId, image: `kubernetes-dynamic-pvc-${image}`, pool: name === '' ? null : name };
}
