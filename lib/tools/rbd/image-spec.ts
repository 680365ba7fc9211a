import { CephbackupError } from '../../errors/error.js';

/** An image as rbd names it: `pool[/namespace]/image`. */
export interface ImageSpec {
  pool: string;
  namespace: string | null;
  image: string;
}

/** Names that rbd's image specs can carry: no `/`, `@`, leading `-`, or anything that is not printable ASCII. */
export function isImageSpecName(name: string): boolean {
  return /^[A-Za-z0-9_.+=:][A-Za-z0-9_.+=:-]*$/.test(name);
}

/** A pool, or a RADOS namespace in one. */
export type ImagePlace = Pick<ImageSpec, 'pool' | 'namespace'>;

/** `pool[/namespace]`, as rbd writes it. */
export function formatPlace({ pool, namespace }: ImagePlace): string {
  return namespace === null ? pool : `${pool}/${namespace}`;
}

/** The place as options, beside `--image-id`. */
export function placeArguments({ pool, namespace }: ImagePlace): string[] {
  return ['--pool', pool, ...(namespace === null ? [] : ['--namespace', namespace])];
}

/**
 * A spec out of names that a PersistentVolume gives.
 * @throws CephbackupError SOURCE_NAME_INVALID
 */
export function imageSpec(pool: string, namespace: string | null, image: string): ImageSpec {
  for (const name of [pool, image, ...(namespace === null ? [] : [namespace])]) {
    if (!isImageSpecName(name)) {
      throw new CephbackupError(
        'SOURCE_NAME_INVALID',
        `not a name of a pool, namespace or image: ${JSON.stringify(name)}`,
      );
    }
  }
  return { pool, namespace, image };
}

/** `pool[/namespace]/image`, as rbd writes it. */
export function formatImage({ pool, namespace, image }: ImageSpec): string {
  return `${formatPlace({ pool, namespace })}/${image}`;
}

/** An image by its id: reaches one in the trash as well, and one that was renamed. */
export interface ImageById extends ImagePlace {
  imageId: string;
}

/** As arguments of `rbd`. */
export function addressOf(image: ImageSpec | ImageById): string[] {
  return 'imageId' in image ? [...placeArguments(image), '--image-id', image.imageId] : [formatImage(image)];
}
