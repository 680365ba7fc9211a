import { CephbackupError } from '../../errors/error.js';
import type { CephfsSource, PlannedVolume } from '../../plan/types.js';
import { CephFs, subvolumeSpec, type Filesystem, type SubvolumeSpec } from '../../tools/ceph/fs.js';
import type { Exec } from '../../tools/process/exec.js';
import type { ClientsFor } from '../rbd/image.js';
import { expectOwnCluster } from '../own-cluster.js';
import { noGroup, placeOf, type Place } from './place.js';

/** The `ceph fs` commands for the cluster of a volume. */
export type CephFsFor = (monitors: readonly string[] | null) => CephFs;

/** Those of a run: the sweep, which begins beside the first volume, asks nothing for a second time. */
const byClients = new WeakMap<ClientsFor, Map<string, CephFs>>();

/** One for each cluster, so that each is asked once for what stays the same. */
export function cephFsClients(exec: Exec, clientsFor: ClientsFor): CephFsFor {
  const known = byClients.get(clientsFor) ?? new Map<string, CephFs>();
  byClients.set(clientsFor, known);
  return (monitors) => {
    const name = (monitors ?? []).join(',');
    const cephFs = known.get(name) ?? new CephFs(exec, clientsFor(monitors).ceph);
    known.set(name, cephFs);
    return cephFs;
  };
}

/** Where a planned CephFS volume lives. */
export interface LocatedShare {
  cephFs: CephFs;
  fs: string;
  place: Place;
  /** The subvolume that the path lies in; null for directories outside. */
  subvolume: SubvolumeSpec | null;
  cluster: string | null;
  /** For the kernel's client. */
  kernelOptions: readonly string[];
}

/** @throws CephbackupError CEPHFS_NOT_FOUND, CEPHFS_UNAVAILABLE, CLUSTER_MISMATCH, SUBVOLUME_NOT_FOUND … */
export async function locateShare(
  cephFsFor: CephFsFor,
  volume: PlannedVolume,
  signal: AbortSignal,
): Promise<LocatedShare> {
  const source = volume.source as CephfsSource;
  const cephFs = cephFsFor(volume.details?.monitors ?? null);
  const found = findFilesystem(cephFs, volume, signal);
  // Another cluster's filesystems say nothing of this volume.
  found.catch(() => undefined);
  await expectOwnCluster(volume, cephFs.ceph, signal);
  const { name: fs, available } = await found;
  if (!available && !(await cephFs.available(fs, { signal }))) {
    throw new CephbackupError(
      'CEPHFS_UNAVAILABLE',
      `the filesystem ${fs} has no metadata server that is active`,
      { retryable: true },
    );
  }
  const group = source.group === noGroup ? null : source.group;
  const subvolume = source.subvolume === null ? null : subvolumeSpec(fs, group, source.subvolume);
  const path = source.path ?? (subvolume === null ? null : await cephFs.subvolumePath(subvolume, { signal }));
  if (path === null) {
    throw new CephbackupError('SUBVOLUME_NOT_FOUND', `the PersistentVolume ${volume.pv ?? ''} names no path`);
  }
  const kernelOptions = volume.details?.clientOptions.used ?? [];
  return { cephFs, fs, place: placeOf(path), subvolume, cluster: source.cluster, kernelOptions };
}

/** By its name, by its number in the volume handle, or else what a pod that names none gets, too. */
export async function findFilesystem(
  cephFs: CephFs,
  { source, details, pv }: PlannedVolume,
  signal: AbortSignal,
): Promise<Filesystem> {
  const named = (source as CephfsSource).fs;
  const id = details?.fsId ?? null;
  const { all, defaultId } = await cephFs.filesystems({ signal });
  const wanted = all.find((fs) => {
    if (named !== null) return fs.name === named;
    return fs.id === (id ?? defaultId);
  });
  if (wanted !== undefined) return wanted;
  const which =
    named !== null
      ? `the filesystem ${JSON.stringify(named)}`
      : id !== null
        ? `the filesystem with id ${id}`
        : 'no filesystem, and the cluster has no default';
  const known = all.map(({ name }) => name).join(', ');
  throw new CephbackupError(
    'CEPHFS_NOT_FOUND',
    `the PersistentVolume ${pv ?? ''} names ${which}; there is: ${known === '' ? 'none' : known}`,
  );
}
