import { dataRuns } from './data-runs.js';
import { Qcow2Error } from './errors.js';
import type { ExtentList } from './extents.js';
import {
  entrySize,
  maxClusterBits,
  maxL1Bytes,
  maxRefcountTableBytes,
  minClusterBits,
  refcountSize,
  sectorSize,
} from './format.js';

const { ceil, floor, max } = Math;

/** Where everything lies in the image; all offsets and lengths in bytes. */
export interface Layout {
  /** The disk's size as a guest sees it: the size asked for, rounded up to 512. */
  virtualSize: number;
  extents: ExtentList;
  clusterBits: number;
  clusterSize: number;
  l1Entries: number;
  l1Offset: number;
  refcountTableOffset: number;
  refcountTableClusters: number;
  refcountBlocksOffset: number;
  refcountBlocks: number;
  l2Offset: number;
  l2Tables: number;
  dataOffset: number;
  dataClusters: number;
  /** Free clusters between those of data. */
  gapClusters: number;
  /** Of the whole file. */
  length: number;
}

export interface LayoutRequest {
  /** Bytes; need not be a multiple of anything. */
  virtualSize: number;
  /** What the image will contain; everything else reads as zeros. */
  extents: ExtentList;
  /** 9 (512 bytes) to 21 (2 MiB); chosen by `chooseClusterBits` if it is left out. */
  clusterBits?: number;
}

/**
 * The cluster sizes to choose from. They are few and far apart on purpose: a disk that changes a little from one day to
 * the next keeps its cluster size, and so the bytes of its image stay where a deduplicating store has seen them. Smaller
 * ones would make QEMU slow: it asks for the state of a disk table by table.
 */
const candidates = [12, 16, 20] as const;
/**
 * How much more a byte of metadata counts than one of padding. Padding is zeros, which any store compresses away, but
 * tables are stored anew whenever an allocation moves the clusters behind it.
 */
const metadataWeight = 8;

/**
 * Lays an image out for streaming: header, L1 table, refcount table, refcount blocks, L2 tables, then the data clusters
 * in the order of the disk, with gaps. Pure; the result gives the file's length before its first byte exists.
 *
 * @throws Qcow2Error INVALID_REQUEST
 */
export function planLayout({ virtualSize, extents, clusterBits }: LayoutRequest): Layout {
  if (!Number.isSafeInteger(virtualSize) || virtualSize < 0 || extents.end > virtualSize) {
    throw new Qcow2Error('INVALID_REQUEST', `extents end at ${extents.end} of ${virtualSize} bytes`);
  }
  const rounded = ceil(virtualSize / sectorSize) * sectorSize;
  const layout =
    clusterBits === undefined ? chooseLayout(rounded, extents) : layoutWith(rounded, extents, clusterBits);
  if (layout === null) {
    throw new Qcow2Error('INVALID_REQUEST', `${virtualSize} bytes need larger clusters than allowed`);
  }
  return layout;
}

/** The cheapest of the candidates: data and padding count once, metadata `metadataWeight` times, gaps not at all. */
function chooseLayout(virtualSize: number, extents: ExtentList): Layout | null {
  const cost = ({ dataClusters, clusterSize, dataOffset }: Layout) =>
    dataClusters * clusterSize + metadataWeight * dataOffset;
  let best: Layout | null = null;
  for (const clusterBits of [...candidates, maxClusterBits]) {
    // The largest is there for disks that nothing else can address.
    if (clusterBits === maxClusterBits && best !== null) break;
    const layout = layoutWith(virtualSize, extents, clusterBits);
    if (layout !== null && (best === null || cost(layout) < cost(best))) best = layout;
  }
  return best;
}

/** Null where QEMU would refuse the tables as too large. */
function layoutWith(virtualSize: number, extents: ExtentList, clusterBits: number): Layout | null {
  if (!Number.isInteger(clusterBits) || clusterBits < minClusterBits || clusterBits > maxClusterBits) {
    throw new Qcow2Error('INVALID_REQUEST', `cluster bits are ${clusterBits}, not 9 to 21`);
  }
  const clusterSize = 2 ** clusterBits;
  const l1Entries = l1EntriesFor(virtualSize, clusterSize);
  const l1Clusters = ceil((l1Entries * entrySize) / clusterSize);
  if (l1Entries * entrySize > maxL1Bytes) return null;
  const { l2Tables, dataClusters, gapClusters } = countClusters(extents, clusterSize);
  const others = 1 + l1Clusters + l2Tables + dataClusters + gapClusters;
  const { tableClusters, blocks } = sizeRefcounts(others, clusterSize);
  if (tableClusters * clusterSize > maxRefcountTableBytes) return null;

  const refcountTableOffset = (1 + l1Clusters) * clusterSize;
  const refcountBlocksOffset = refcountTableOffset + tableClusters * clusterSize;
  const l2Offset = refcountBlocksOffset + blocks * clusterSize;
  const dataOffset = l2Offset + l2Tables * clusterSize;
  const length = dataOffset + (dataClusters + gapClusters) * clusterSize;
  if (!Number.isSafeInteger(length)) return null;
  return {
    virtualSize,
    extents,
    clusterBits,
    clusterSize,
    l1Entries,
    l1Offset: clusterSize,
    refcountTableOffset,
    refcountTableClusters: tableClusters,
    refcountBlocksOffset,
    refcountBlocks: blocks,
    l2Offset,
    l2Tables,
    dataOffset,
    dataClusters,
    gapClusters,
    length,
  };
}

export function l1EntriesFor(virtualSize: number, clusterSize: number): number {
  return ceil(virtualSize / (clusterSize * (clusterSize / entrySize)));
}

/** How many clusters the extents touch, how many L2 tables those need, and how many clusters are left free. */
function countClusters(
  extents: ExtentList,
  clusterSize: number,
): Pick<Layout, 'l2Tables' | 'dataClusters' | 'gapClusters'> {
  const perTable = clusterSize / entrySize;
  const counts = { l2Tables: 0, dataClusters: 0, gapClusters: 0 };
  let lastTable = -1;
  for (const { start, length, gap } of dataRuns(extents, clusterSize)) {
    const firstTable = max(floor(start / perTable), lastTable + 1);
    lastTable = floor((start + length - 1) / perTable);
    counts.l2Tables += lastTable - firstTable + 1;
    counts.dataClusters += length;
    counts.gapClusters += gap;
  }
  return counts;
}

/**
 * How many refcount blocks and clusters of the refcount table it takes to count all clusters, their own included.
 *
 * @param others clusters of everything else
 */
export function sizeRefcounts(
  others: number,
  clusterSize: number,
): { tableClusters: number; blocks: number } {
  let blocks = 1;
  let tableClusters = 1;
  for (;;) {
    const total = others + blocks + tableClusters;
    const neededBlocks = ceil(total / (clusterSize / refcountSize));
    const neededTable = ceil((neededBlocks * entrySize) / clusterSize);
    if (neededBlocks <= blocks && neededTable <= tableClusters) return { tableClusters, blocks };
    // Both only grow, and slower than the total does: this ends.
    blocks = neededBlocks;
    tableClusters = neededTable;
  }
}
