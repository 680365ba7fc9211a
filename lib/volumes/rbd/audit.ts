import { asCephbackupError } from '../../errors/error.js';
import type { Resource } from '../../ownership/scope.js';
import { formatImage, formatPlace, type ImageById, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { RbdSnapshot } from '../../tools/rbd/snapshots.js';
import type { Limit } from './contents.js';
import { kindOf } from './parentage.js';
import type { Place } from './place.js';

export interface Audited {
  left: Omit<Resource, 'cluster'>[];
  problems: string[];
}

/** One call lists the snapshots of all images of a pool; one image more is worth as much as so many of its. */
const worthOfACall = 8;

/** What a run left of these names in a pool: clones, also in the trash or partly removed, and snapshots of its volumes. */
export async function auditPlace(
  place: Place,
  names: ReadonlySet<string>,
  limit: Limit,
  signal: AbortSignal,
): Promise<Audited> {
  const { rbd, pool, namespace } = place;
  const [present, trashed] = await Promise.all([
    limit(() => rbd.places.names(place, { signal })),
    limit(() => rbd.places.trash(place, { signal })),
  ]);
  const spec = (image: string): ImageSpec => ({ pool, namespace, image });
  const left: Audited['left'] = [
    ...present
      .filter((image) => names.has(image))
      .map((image) => ({ kind: kindOf(image), name: formatImage(spec(image)) })),
    ...trashed
      .filter(({ name }) => names.has(name))
      .map(({ id, name }) => ({ kind: kindOf(name), name: inTrash(spec(name), id) })),
  ];
  const problems: string[] = [];
  const there = new Set(present);
  let wanted = [...place.known].filter((image) => there.has(image));
  if (present.length <= worthOfACall * wanted.length) {
    const listed = await limit(() => rbd.places.images(place, present.length, { signal })).catch(() => []);
    for (const { image, snapshot } of listed) {
      if (snapshot !== null && names.has(snapshot))
        left.push({ kind: 'snapshot', name: `${formatImage(spec(image))}@${snapshot}` });
    }
    const opened = new Set(listed.map(({ image }) => image));
    wanted = wanted.filter((image) => !opened.has(image));
  }
  const look = async (image: ImageSpec | ImageById, shown: string): Promise<void> => {
    try {
      const snapshots = await limit(() => rbd.snapshots.list(image, { signal }));
      for (const name of ours(snapshots, names)) left.push({ kind: 'snapshot', name: `${shown}@${name}` });
    } catch (thrown) {
      signal.throwIfAborted();
      const { code, message } = asCephbackupError(thrown);
      if (code !== 'IMAGE_NOT_FOUND')
        problems.push(`could not look for leftovers in ${formatPlace(place)}: ${message}`);
    }
  };
  await Promise.all([
    ...wanted.map((image) => look(spec(image), formatImage(spec(image)))),
    ...trashed
      .filter(({ name }) => place.known.has(name))
      .map(({ id, name }) => look({ pool, namespace, imageId: id }, inTrash(spec(name), id))),
  ]);
  return { left, problems };
}

/** Those that Ceph keeps in its trash for a clone's sake as well. */
function ours(snapshots: readonly RbdSnapshot[], names: ReadonlySet<string>): string[] {
  return snapshots.map(({ name, trashedFrom }) => trashedFrom ?? name).filter((name) => names.has(name));
}

function inTrash(image: ImageSpec, id: string): string {
  return `${formatImage(image)} (trashed image ${id})`;
}
