import { dataRuns } from './data-runs.js';
import { copiedFlagHigh, encodeHeader, entrySize, headerLength, refcountSize } from './format.js';
import type { Layout } from './layout.js';
import { groupRanges } from './ranges.js';

/** Bytes handed out at once; a multiple of every cluster size would be too much for small ones. */
const blockSize = 256 * 1024;
const twoTo32 = 2 ** 32;

/** Equal or evenly ascending table entries: zeros, or the offsets of clusters that follow each other. */
interface EntryRun {
  count: number;
  /** Offset of the first cluster, or null for unallocated. */
  first: number | null;
}

/**
 * Everything before the data clusters, `layout.dataOffset` bytes in all. Tables are made as they are needed; the bytes
 * given out are valid until the next are asked for.
 */
export function* metadataBlocks(layout: Layout): Generator<Uint8Array, void> {
  const { clusterSize } = layout;
  yield encodeHeader(layout);
  yield* zeroBlocks(clusterSize - headerLength);
  yield* tableBlocks(l1Runs(layout), clusterSize, copiedFlagHigh);
  yield* tableBlocks(refcountTableRuns(layout), clusterSize, 0);
  yield* joined(refcounts(layout));
  yield* tableBlocks(l2Runs(layout), clusterSize, copiedFlagHigh);
}

/** `count` zeros in blocks. */
export function zeroBlocks(count: number): Generator<Uint8Array, void> {
  return repeated(zeros, count);
}
const zeros = new Uint8Array(blockSize);

/** `count` bytes of what `block` begins with, again and again. */
function* repeated(block: Uint8Array, count: number): Generator<Uint8Array, void> {
  for (let left = count; left > 0; left -= blockSize) yield block.subarray(0, Math.min(left, blockSize));
}

function* l1Runs(layout: Layout): Generator<EntryRun, void> {
  const { clusterSize } = layout;
  const perCluster = clusterSize / entrySize;
  let position = 0;
  let offset = layout.l2Offset;
  for (const tables of groupRanges(groupRanges(layout.extents, clusterSize), perCluster)) {
    yield { count: tables.start - position, first: null };
    yield { count: tables.length, first: offset };
    position = tables.start + tables.length;
    offset += tables.length * clusterSize;
  }
  const l1Clusters = layout.refcountTableOffset / clusterSize - 1;
  yield { count: l1Clusters * perCluster - position, first: null };
}

function* refcountTableRuns(layout: Layout): Generator<EntryRun, void> {
  yield { count: layout.refcountBlocks, first: layout.refcountBlocksOffset };
  const room = (layout.refcountTableClusters * layout.clusterSize) / entrySize;
  yield { count: room - layout.refcountBlocks, first: null };
}

/** Every cluster of the file is referenced once; gaps, and what lies behind the last cluster, are counted as free. */
function* refcounts({
  extents,
  clusterSize,
  dataOffset,
  length,
  refcountBlocks,
}: Layout): Generator<Uint8Array, void> {
  yield* repeated(ones, (dataOffset / clusterSize) * refcountSize);
  for (const run of dataRuns(extents, clusterSize)) {
    yield* repeated(zeros, run.gap * refcountSize);
    yield* repeated(ones, run.length * refcountSize);
  }
  yield* zeroBlocks(refcountBlocks * clusterSize - (length / clusterSize) * refcountSize);
}
const ones = new Uint8Array(blockSize).map((_, index) => (index % refcountSize === refcountSize - 1 ? 1 : 0));

function* l2Runs(layout: Layout): Generator<EntryRun, void> {
  const { clusterSize } = layout;
  const perTable = clusterSize / entrySize;
  /** The next entry to be written: the number of the cluster it stands for. */
  let position = 0;
  let offset = layout.dataOffset;
  for (const clusters of dataRuns(layout.extents, clusterSize)) {
    const table = clusters.start - (clusters.start % perTable);
    if (position <= table) {
      // The table that was begun ends in zeros, tables without data do not exist, and the next one begins.
      yield { count: toBoundary(position, perTable), first: null };
      position = table;
    }
    offset += clusters.gap * clusterSize;
    yield { count: clusters.start - position, first: null };
    yield { count: clusters.length, first: offset };
    position = clusters.start + clusters.length;
    offset += clusters.length * clusterSize;
  }
  yield { count: toBoundary(position, perTable), first: null };
}

function toBoundary(position: number, size: number): number {
  return (size - (position % size)) % size;
}

/** Packs runs of entries into blocks, one buffer for all. */
function* tableBlocks(
  runs: Iterable<EntryRun>,
  clusterSize: number,
  flagsHigh: number,
): Generator<Uint8Array, void> {
  const buffer = new Uint8Array(blockSize);
  const view = new DataView(buffer.buffer);
  let used = 0;
  for (const run of runs) {
    let offset = run.first;
    for (let left = run.count; left > 0;) {
      const count = Math.min(left, (blockSize - used) / entrySize);
      const end = used + count * entrySize;
      if (offset === null) buffer.fill(0, used, end);
      else {
        for (let at = used; at < end; at += entrySize) {
          // DataView's 64-bit setter takes BigInts, which are too slow for millions of entries.
          view.setUint32(at, Math.floor(offset / twoTo32) + flagsHigh);
          view.setUint32(at + 4, offset % twoTo32);
          offset += clusterSize;
        }
      }
      left -= count;
      used = end;
      if (used === blockSize) {
        yield buffer;
        used = 0;
      }
    }
  }
  if (used > 0) yield buffer.subarray(0, used);
}

/** The same bytes in blocks, one buffer for all: small pieces would be as many writes. */
function* joined(pieces: Iterable<Uint8Array>): Generator<Uint8Array, void> {
  const buffer = new Uint8Array(blockSize);
  let used = 0;
  for (const piece of pieces) {
    for (let taken = 0; taken < piece.length;) {
      const part = piece.subarray(taken, taken + blockSize - used);
      buffer.set(part, used);
      taken += part.length;
      used += part.length;
      if (used === blockSize) {
        yield buffer;
        used = 0;
      }
    }
  }
  if (used > 0) yield buffer.subarray(0, used);
}
