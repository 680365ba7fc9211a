import { parseQuantity } from '../../kube/quantity.js';
import type { PersistentVolume } from '../../kube/types.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { ClaimManifest } from '../../repository/manifests.js';
import type { FilesImageTarget } from '../../restore/files/image-filesystem.js';
import { filesToImage } from '../../restore/files/to-image.js';
import { filesToShare } from '../../restore/files/to-share.js';
import type { RestoreJob, RestoreOutcome } from '../../restore/job.js';
import type { ImageSpec } from '../../tools/rbd/image-spec.js';
import { supportedType } from '../../volumes/rbd/filesystem.js';
import { locateImage, type CephClients } from '../../volumes/rbd/image.js';
import { cephfsTools, mapperOf } from '../shared/drivers.js';
import { manifestOf, newImage } from './manifest.js';
import {
  claimsOfImage,
  claimsOfShare,
  imageTools,
  refuseUsed,
  type Assignment,
  type PlaceContext,
} from './place.js';

export async function filesIntoNewImage(assignment: Assignment, image: ImageSpec): Promise<RestoreOutcome> {
  const target = await newFilesTarget(assignment, image, assignment.place.clientsFor(null));
  return filesToImage(assignment.job, target, assignment.context.options.path);
}

/** A new image, with the filesystem that the volume had and as large as it was. */
export async function newFilesTarget(
  { context, job, snapshots, place }: Assignment<PlaceContext>,
  image: ImageSpec,
  clients: CephClients,
): Promise<FilesImageTarget> {
  const manifest = await manifestOf(job, snapshots);
  const { features, dataPool } = await newImage(job, clients.ceph, manifest);
  return {
    image,
    tools: { ...imageTools(context, clients), mapper: mapperOf(context) },
    type: supportedType(fsTypeOf(manifest)),
    mkfsOptions: manifest?.kind === 'cephfs' ? null : mkfsOptionsOf(manifest?.persistentVolume),
    newSize: sizeFor(job, manifest),
    made: { features: features ?? ['layering', 'exclusive-lock'], dataPool },
    confirmUnused: () => refuseUsed(place, claimsOfImage(place.volumes, image), job.signal),
  };
}

/** Into the image that a claim has already. */
export async function filesIntoClaim(
  { context, job, place }: Assignment,
  volume: PlannedVolume,
): Promise<RestoreOutcome> {
  const { image } = await locateImage(place.clientsFor)(volume, job.signal);
  const target: FilesImageTarget = {
    image,
    tools: {
      ...imageTools(context, place.clientsFor(volume.details?.monitors ?? null)),
      mapper: mapperOf(context),
    },
    type: supportedType(volume.details?.fsType ?? 'ext4'),
    mkfsOptions: mkfsOptionsOf(volume.claim.pv),
    newSize: null,
    made: { features: null, dataPool: null },
    confirmUnused: () => refuseUsed(place, [volume, ...claimsOfImage(place.volumes, image)], job.signal),
  };
  return filesToImage(job, target, context.options.path);
}

/** Into the subvolume that a claim has already. */
export async function filesIntoShare(
  { context, job, place }: Assignment,
  volume: PlannedVolume,
): Promise<RestoreOutcome> {
  const target = {
    volume,
    tools: cephfsTools(context, place.clientsFor),
    confirmUnused: () => refuseUsed(place, claimsOfShare(place.volumes, volume), job.signal),
  };
  return filesToShare(job, target, context.options.path);
}

function mkfsOptionsOf(volume: PersistentVolume | null | undefined): string | null {
  return volume?.spec?.csi?.volumeAttributes?.mkfsOptions ?? null;
}

/** What was CephFS, or names no type, becomes ext4, as with ceph-csi. */
function fsTypeOf(manifest: ClaimManifest | null): string {
  const { csi, rbd } = manifest?.persistentVolume?.spec ?? {};
  const named = manifest?.kind === 'cephfs' ? '' : (csi?.fsType ?? rbd?.fsType ?? '');
  return named === '' ? 'ext4' : named;
}

const MiB = 1024 * 1024;

/** As large as the volume was, and never too small for its files and the filesystem's own structures. Bytes. */
function sizeFor({ backup, warn }: RestoreJob, manifest: ClaimManifest | null): number {
  const capacity = parseQuantity(manifest?.persistentVolume?.spec?.capacity?.storage ?? '') ?? 0;
  const least = Math.ceil(((backup.sizeBytes ?? 0) * 1.1) / MiB) * MiB + 512 * MiB;
  if (manifest?.kind !== 'cephfs' && capacity > 0) return capacity;
  // The capacity of a share is a quota at best.
  if (capacity === 0) warn(`how large the volume was is not known: the image gets ${least} bytes`);
  return Math.max(capacity, least);
}
