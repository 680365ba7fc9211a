import type pLimit from 'p-limit';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { ownerOf } from '../../ownership/names.js';
import { formatPlace, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { ListedImage, TrashedImage } from '../../tools/rbd/places.js';
import type { Place } from './place.js';

/** What is in a pool or RADOS namespace. */
export interface Contents {
  /** Every name, also those of which a killed removal has left a part, which nothing can open. */
  names: string[];
  /** The images that could be opened, and their snapshots that were not removed. */
  listed: ListedImage[];
  trashed: TrashedImage[];
  /** Why others could not be looked into. */
  problems: string[];
}

export type Limit = ReturnType<typeof pLimit>;

/**
 * Reads names first, and then images and snapshots in one call. That call leaves out, without an error, what it cannot
 * open, and has been seen to crash while images vanish: what is missing in it is looked at one by one.
 */
export async function contentsOf(
  place: Place,
  { limit, signal, thorough }: { limit: Limit; signal: AbortSignal; thorough: boolean },
): Promise<Contents> {
  const { rbd } = place;
  const [names, trashed] = await Promise.all([
    limit(() => rbd.places.names(place, { signal })),
    limit(() => rbd.places.trash(place, { signal })),
  ]);
  const problems: string[] = [];
  const together = await limit(() => rbd.places.images(place, names.length, { signal })).catch(
    (thrown: unknown) => {
      signal.throwIfAborted();
      return asCephbackupError(thrown);
    },
  );
  const listed = together instanceof CephbackupError ? [] : together;
  const opened = new Set(listed.map(({ image }) => image));
  const missing = names.filter((name) => !opened.has(name));
  const worth = missing.filter((name) => thorough || ownerOf(name) !== null || place.selected.has(name));
  if (worth.length < missing.length && together instanceof CephbackupError) problems.push(together.message);
  await Promise.all(
    worth.map((name) =>
      limit(async () => {
        const image = { pool: place.pool, namespace: place.namespace, image: name };
        try {
          listed.push(...(await lookAt(place, image, signal)));
        } catch (thrown) {
          signal.throwIfAborted();
          const { code, message } = asCephbackupError(thrown);
          // It is gone, or partly removed; what is ours of those is found by its name.
          if (code !== 'IMAGE_NOT_FOUND') problems.push(message);
        }
      }),
    ),
  );
  const where = `could not look for leftovers in ${formatPlace(place)}`;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return {
    names,
    listed,
    trashed,
    problems: problems.length === 0 ? [] : [`${where}: ${problems[0] ?? ''}${more}`],
  };
}

async function lookAt({ rbd }: Place, image: ImageSpec, signal: AbortSignal): Promise<ListedImage[]> {
  const [parent, snapshots] = await Promise.all([
    rbd.parent(image, { signal }),
    rbd.snapshots.list(image, { signal }),
  ]);
  const own = snapshots.filter(({ trashedFrom }) => trashedFrom === null);
  return [
    { image: image.image, snapshot: null, parent },
    ...own.map(({ name }) => ({ image: image.image, snapshot: name, parent: null })),
  ];
}
