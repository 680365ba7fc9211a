import { CephbackupError } from '../../errors/error.js';
import type { SnapshotFacts } from './listing.js';

/** What `rbd info --format json` prints of an image or a snapshot. */
type Info = Record<string, unknown>;

/**
 * @throws CephbackupError IMAGE_NOT_PRIMARY, IMAGE_MIGRATING where a snapshot cannot be had, or would not be what the
 * claim's pods see
 */
export function checkState(info: Info, image: string): void {
  const { mirroring } = info;
  const secondary =
    typeof mirroring === 'object' &&
    mirroring !== null &&
    'primary' in mirroring &&
    !isTrue(mirroring.primary);
  if (secondary || has(info.features, 'non-primary')) {
    throw new CephbackupError('IMAGE_NOT_PRIMARY', `the image ${image} is not the primary of its mirroring`);
  }
  if (has(info.features, 'migrating')) {
    throw new CephbackupError('IMAGE_MIGRATING', `the image ${image} is the target of a migration`);
  }
}

/** @throws CephbackupError COMMAND_OUTPUT_INVALID */
export function snapshotFacts(info: Info): SnapshotFacts {
  const { size, object_size: objectSize, features, flags } = info;
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(objectSize) || Number(objectSize) <= 0) {
    throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'rbd info: no size of image or objects');
  }
  const valid = !has(flags, 'object map invalid') && !has(flags, 'fast diff invalid');
  return {
    size: Number(size),
    objectSize: Number(objectSize),
    fastDiff: has(features, 'fast-diff') && valid,
  };
}

function has(list: unknown, entry: string): boolean {
  return Array.isArray(list) && list.includes(entry);
}

/** Some releases of Ceph print booleans as strings. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}
