import type { ExtentList } from '../../../qcow2/extents.js';
import { sameTime, segmentLength, type DiskFacts, type Time } from './format.js';

/** A segment's file as a backup has it. */
export interface KnownSegment {
  sizeBytes: number;
  mtime: Time;
}

export interface Segment extends KnownSegment {
  index: number;
  /** Whether restic has to read it; else it has the time that the parent knows, and restic takes the parent's data. */
  read: boolean;
}

export interface SegmentRequest {
  facts: DiskFacts;
  /** What the snapshot contains. */
  extents: ExtentList;
  /** The segments of the parent, where what it has may be used at all. */
  parent: ReadonlyMap<number, KnownSegment> | null;
  /** What may differ from the parent; ignored without one. */
  changes: ExtentList;
  /** Of what is read. */
  time: Time;
}

/**
 * Which segments the backup has, in ascending order, and which of them are read: those that may have changed, that the
 * parent lacks, or has with another size. A segment that is read has another time than the parent's.
 */
export function planSegments({ facts, extents, parent, changes, time }: SegmentRequest): Segment[] {
  const changed = indices(changes, facts);
  return [...indices(extents, facts)].map((index) => {
    const sizeBytes = segmentLength(facts, index);
    const known = parent?.get(index);
    if (known?.sizeBytes === sizeBytes && !changed.has(index))
      return { index, sizeBytes, mtime: known.mtime, read: false };
    const taken = known !== undefined && sameTime(known.mtime, time);
    const mtime = taken ? { ...time, seconds: time.seconds + 1 } : time;
    return { index, sizeBytes, mtime, read: true };
  });
}

/** The segments that extents touch, in ascending order. */
function indices(extents: ExtentList, { sizeBytes, segmentBytes }: DiskFacts): Set<number> {
  const found = new Set<number>();
  for (const { start, length } of extents) {
    const end = Math.min(start + length, sizeBytes);
    for (let index = Math.floor(start / segmentBytes); index * segmentBytes < end; index++) found.add(index);
  }
  return found;
}
