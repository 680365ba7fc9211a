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
  yield* refcountBlocks(layout);
  yield* tableBlocks(l2Runs(layout), clusterSize, copiedFlagHigh);
}

/** `count` zeros in blocks. */
export function* zeroBlocks(count: number): Generator<Uint8Array, void> {
  for (let left = count; left > 0; left -= blockSize) yield zeros.subarray(0, Math.min(left, blockSize));
}
const zeros = new Uint8Array(blockSize);

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

/** Every cluster of the file is referenced once; what lies behind the last is counted as free. */
function* refcountBlocks(layout: Layout): Generator<Uint8Array, void> {
  const used = layout.length / layout.clusterSize;
  const ones = new Uint8Array(blockSize);
  for (let i = refcountSize - 1; i < blockSize; i += refcountSize) ones[i] = 1;
  for (let left = used * refcountSize; left > 0; left -= blockSize) {
    yield ones.subarray(0, Math.min(left, blockSize));
  }
  yield* zeroBlocks(layout.refcountBlocks * layout.clusterSize - used * refcountSize);
}

function* l2Runs(layout: Layout): Generator<EntryRun, void> {
  const { clusterSize } = layout;
  const perTable = clusterSize / entrySize;
  /** The next entry to be written: the number of the cluster it stands for. */
  let position = 0;
  let offset = layout.dataOffset;
  for (const clusters of groupRanges(layout.extents, clusterSize)) {
    const table = clusters.start - (clusters.start % perTable);
    if (position <= table) {
      // The table that was begun ends in zeros, tables without data do not exist, and the next one begins.
      yield { count: toBoundary(position, perTable), first: null };
      position = table;
    }
    yield { count: clusters.start - position, first: null };
    yield { count: clusters.length, first: offset };
    position = clusters.start + clusters.length;
    offset += clusters.length * clusterSize;
  }
  yield { count: toBoundary(position, perTable), first: null };
}

export function toBoundary(position: number, size: number): number {
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
