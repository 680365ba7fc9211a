import type { EpochMs } from '../../../log/time.js';
import { momentBetween } from '../../../plan/full-read.js';
import { sameTime, factsTime, type DiskFacts, type Time } from './format.js';
import type { KnownSegment } from './plan.js';

/**
 * Whether the parent's data is used where the Ceph diff from the base says that nothing changed, or why everything is read:
 * `first` there is no proven backup; `format` it is of another format; `damaged` the repository has lost a part of it; `no-base` its base is not there; `resized` segments
 * have another size than the parent's; `release` this Ceph is known to miss changes; `full-every` the time for a full read
 * has come; `unavailable` the disk was streamed.
 */
export type BaseUse =
  'used' | 'first' | 'format' | 'damaged' | 'no-base' | 'resized' | 'release' | 'full-every' | 'unavailable';

/** What the parent's listing says of its disk. */
export interface ParentDisk {
  /** The time of its `image.json`. */
  factsTime: Time;
  /** The time of its folder. */
  imageTime: Time;
  segments: ReadonlyMap<number, KnownSegment>;
}

export interface BaseQuestion {
  /** Null where there is no proven backup, `other` where it is of another format, `damaged` where it cannot be listed. */
  parent: ParentDisk | 'other' | 'damaged' | null;
  /** The disk as it is now. */
  facts: DiskFacts;
  /** The disk as the base's snapshot has it; null where there is none. */
  base: DiskFacts | null;
  /** The time that says which image it is. */
  imageTime: Time;
  /** Whether this release of Ceph, with this image, misses no change. */
  diffIsRight: boolean;
  uid: string;
  now: EpochMs;
  /** 0: never. */
  fullEveryMs: number;
  /** Whether the run before failed, which may have been the full read. */
  failedLast: boolean;
}

export function judgeBase(question: BaseQuestion): BaseUse {
  const { parent, facts, base, diffIsRight } = question;
  if (parent === null) return 'first';
  if (parent === 'other') return 'format';
  if (parent === 'damaged') return 'damaged';
  if (base === null) return 'no-base';
  if (base.segmentBytes !== facts.segmentBytes) return 'resized';
  // Copies of snapshots in another image are no bases.
  if (!sameTime(question.imageTime, parent.imageTime)) return 'no-base';
  // What the base is, and what was backed up from it, must be the same.
  if (!sameTime(factsTime(base), parent.factsTime)) return 'no-base';
  if (!diffIsRight) return 'release';
  return fullReadIsDue(parent, question) ? 'full-every' : 'used';
}

/**
 * Due where one of the claim's moments lies between the oldest read of a segment and now. After a run that failed the base
 * is used, and the full read has its turn after that: a disk that cannot be read whole in the time that it has would else
 * have no backup any more.
 */
function fullReadIsDue(
  { segments }: ParentDisk,
  { uid, now, fullEveryMs, failedLast }: BaseQuestion,
): boolean {
  if (fullEveryMs === 0 || failedLast) return false;
  let oldest = now;
  for (const { mtime } of segments.values()) oldest = Math.min(oldest, mtime.seconds * 1000);
  return momentBetween(uid, oldest, now, fullEveryMs);
}

/** From these on, discards that truncate an object are seen (ceph#63770). */
const fixed = new Map([
  [17, [2, 8]],
  [18, [2, 4]],
]);

/**
 * Whether a diff misses no change: the exact one of a release that sees all discards; else only where the object map,
 * which is kept by whoever writes, tells it, too.
 *
 * @param version what `rbd --version` prints; it is librbd that computes the diff
 */
export function diffIsRight(version: string, objectMaps: boolean): boolean {
  const match = /^ceph version (\d+)\.(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const [major, minor, patch] = match.slice(1).map(Number) as [number, number, number];
  if (major >= 19) return true;
  const [leastMinor = Infinity, leastPatch = 0] = fixed.get(major) ?? [];
  if (minor > leastMinor || (minor === leastMinor && patch >= leastPatch)) return true;
  return major >= 16 && objectMaps;
}
