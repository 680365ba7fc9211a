import { asCephbackupError } from '../../errors/error.js';
import type { PlannedVolume, RbdSource } from '../../plan/types.js';
import type { ImagePlace } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';
import { poolOf, type ClientsFor } from './image.js';

/** A pool or RADOS namespace that holds images of volumes. */
export interface Place extends ImagePlace {
  rbd: Rbd;
  cluster: string | null;
  /** Names of the images of all volumes that are known to be here. */
  known: Set<string>;
  /** Those of volumes that are backed up, by this shard or another. */
  selected: Set<string>;
}

export interface FoundPlaces {
  places: Place[];
  /** Which volumes' places could not be found. */
  problems: string[];
}

/** Where the images of these volumes are. */
export async function placesOf(
  volumes: readonly PlannedVolume[],
  clientsFor: ClientsFor,
  signal: AbortSignal,
): Promise<FoundPlaces> {
  const places = new Map<string, Place>();
  const problems = new Set<string>();
  for (const volume of volumes) {
    const { source, details, kind, backup, reason } = volume;
    if (source === null || kind === 'cephfs' || !('image' in source)) continue;
    try {
      const place = await placeOf(volume, source, clientsFor, signal);
      if (place === null) continue;
      const key = JSON.stringify([details?.monitors ?? null, place.pool, place.namespace]);
      const known = places.get(key) ?? place;
      places.set(key, known);
      if (source.image === null) continue;
      known.known.add(source.image);
      if (backup || reason === 'other-shard') known.selected.add(source.image);
    } catch (thrown) {
      problems.add(
        `could not look for leftovers where ${volume.namespace}/${volume.pvc} is: ${asCephbackupError(thrown).message}`,
      );
    }
  }
  return { places: [...places.values()], problems: [...problems] };
}

async function placeOf(
  volume: PlannedVolume,
  { cluster, radosNamespace: namespace }: RbdSource,
  clientsFor: ClientsFor,
  signal: AbortSignal,
): Promise<Place | null> {
  const { rbd, ceph } = clientsFor(volume.details?.monitors ?? null);
  // A volume that names no pool at all has no leftovers: it was never backed up.
  const pool = await poolOf(volume, ceph, signal);
  if (pool === null) return null;
  return { rbd, cluster, pool, namespace, known: new Set(), selected: new Set() };
}
