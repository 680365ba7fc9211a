import type { ImageSpec } from './image-spec.js';

export interface ParentSnapshot extends ImageSpec {
  snapshot: string;
  /** Of the image: finds it in the trash, too. Null where it was not told. */
  id: string | null;
}

/** The parent in what `rbd info` and `rbd ls` say of an image. */
export function parentOf(value: unknown): ParentSnapshot | null {
  if (typeof value !== 'object' || value === null) return null;
  const { pool, pool_namespace: space, image, snapshot, id } = value as Record<string, unknown>;
  if (typeof pool !== 'string' || typeof image !== 'string' || typeof snapshot !== 'string') return null;
  return {
    pool,
    namespace: typeof space === 'string' && space !== '' ? space : null,
    image,
    snapshot,
    id: typeof id === 'string' ? id : null,
  };
}
