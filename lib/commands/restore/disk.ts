import type { PlannedVolume } from '../../plan/types.js';
import { locateDisk, type KnownDisk } from '../../restore/block/disk-source.js';
import { diskToFile, type FileTarget } from '../../restore/block/to-file.js';
import { diskToImage } from '../../restore/block/to-image.js';
import type { RestoreJob, RestoreOutcome } from '../../restore/job.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import type { ImageSpec } from '../../tools/rbd/image-spec.js';
import { locateImage, type CephClients } from '../../volumes/rbd/image.js';
import type { ClaimManifest } from '../../repository/manifests.js';
import { concealKeys, refuseOtherEncryption, warnOfNewImage } from './encryption.js';
import { manifestOf, newImage } from './manifest.js';
import { claimsOfImage, imageTools, refuseUsed, type Assignment, type PlaceContext } from './place.js';

export async function diskIntoFile(
  job: RestoreJob,
  snapshots: readonly ResticSnapshot[],
  target: FileTarget,
): Promise<RestoreOutcome> {
  const { disk } = await lookUp(job, snapshots);
  return diskToFile(job, target, disk);
}

export async function diskIntoNewImage(
  { context, job, snapshots, place }: Assignment<PlaceContext>,
  image: ImageSpec,
  clients: CephClients = place.clientsFor(null),
): Promise<RestoreOutcome> {
  const { disk, manifest } = await lookUp(job, snapshots);
  concealKeys(context.redactor, manifest);
  warnOfNewImage(manifest, image.image, job.warn);
  const target = {
    image,
    tools: imageTools(context, clients),
    kind: 'image' as const,
    made: await newImage(job, clients.ceph, manifest),
    metadata: manifest?.image?.metadata ?? null,
    confirmUnused: () => refuseUsed(place, claimsOfImage(place.volumes, image), job.signal),
  };
  return diskToImage(job, target, disk);
}

/** Into the image that a claim has already. */
export async function diskIntoClaim(
  { context, job, snapshots, place }: Assignment,
  volume: PlannedVolume,
): Promise<RestoreOutcome> {
  const { image } = await locateImage(place.clientsFor)(volume, job.signal);
  const { disk, manifest } = await lookUp(job, snapshots);
  concealKeys(context.redactor, manifest);
  refuseOtherEncryption(manifest, volume, job.warn);
  const target = {
    image,
    tools: imageTools(context, place.clientsFor(volume.details?.monitors ?? null)),
    kind: 'claim' as const,
    made: { features: null, dataPool: null },
    metadata: manifest?.image?.metadata ?? null,
    confirmUnused: () => refuseUsed(place, [volume, ...claimsOfImage(place.volumes, image)], job.signal),
  };
  return diskToImage(job, target, disk);
}

interface Found {
  disk: KnownDisk;
  manifest: ClaimManifest | null;
}

/** What the repository knows of the disk, asked for at once: each answer takes restic's start. */
async function lookUp(job: RestoreJob, snapshots: readonly ResticSnapshot[]): Promise<Found> {
  const located = locateDisk(job);
  const manifest = await manifestOf(job, snapshots, ({ image }) => image !== null);
  return { disk: { exactSize: manifest?.image?.sizeBytes ?? null, located }, manifest };
}
