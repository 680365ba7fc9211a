import { ByteReader } from './byte-reader.js';
import type { CompactRanges } from './compact-ranges.js';
import { Qcow2Error } from './errors.js';
import {
  copiedFlagHigh,
  decodeHeader,
  entrySize,
  headerLength,
  maxClusterBits,
  maxL1Bytes,
  maxRefcountTableBytes,
  minClusterBits,
  sectorSize,
  type Header,
} from './format.js';
import { l1EntriesFor, sizeRefcounts } from './layout.js';
import type { Range } from './ranges.js';
import { expectZeros, readL2Tables, readRefcounts, TableCheck } from './tables.js';

export interface ReadOptions {
  /** Bytes that each map of the image may take in memory; the default holds tens of millions of extents. */
  mapLimit?: number;
}

/** A part of the disk that the image contains. The bytes are valid until the next piece is asked for. */
export interface Piece {
  offset: number;
  bytes: Uint8Array;
}

/**
 * Reads an image from a stream, front to back: the metadata now, the data as the caller asks for it. Takes images as
 * this library lays them out and no others, checks every table entry and every reference count, and trusts nothing. Between
 * the data there may be free clusters anywhere: the reference counts tell.
 *
 * @throws Qcow2Error TRUNCATED, MALFORMED, UNSUPPORTED, TOO_FRAGMENTED; whatever the source throws
 */
export async function openImage(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { mapLimit = 128 * 1024 * 1024 }: ReadOptions = {},
): Promise<ImageReader> {
  const reader = new ByteReader(source);
  const header = decodeHeader(await reader.read(headerLength));
  checkHeader(header);
  const clusterSize = 2 ** header.clusterBits;
  const perTable = clusterSize / entrySize;
  await expectZeros(reader, clusterSize - headerLength, 'behind the header');

  const l1 = new TableCheck('L1 table', clusterSize, copiedFlagHigh, mapLimit);
  const l1Clusters = header.refcountTableOffset / clusterSize - 1;
  await l1.read(reader, 0, l1Clusters * perTable, header.l1Entries);

  const blocksOffset = header.refcountTableOffset + header.refcountTableClusters * clusterSize;
  const blockPlaces = [{ start: blocksOffset, length: Infinity }].values();
  const refcountTable = new TableCheck('refcount table', clusterSize, 0, mapLimit, blockPlaces);
  await refcountTable.read(reader, 0, header.refcountTableClusters * perTable, Infinity);
  const blocks = refcountTable.used.total;
  const used = await readRefcounts(reader, blocks * clusterSize, mapLimit);

  const l2Offset = blocksOffset + blocks * clusterSize;
  if ((l1.first ?? l2Offset) !== l2Offset) throw malformed(`the first L2 table is not at ${l2Offset}`);
  const tables = l1.used.total;
  const dataOffset = l2Offset + tables * clusterSize;
  const places = dataPlaces(used, clusterSize, dataOffset);
  const l2 = new TableCheck('L2 tables', clusterSize, copiedFlagHigh, mapLimit, places);
  await readL2Tables(reader, l1.used, l2, perTable, Math.ceil(header.virtualSize / clusterSize));

  const metadata = dataOffset / clusterSize;
  const total = metadata + l2.used.total;
  const needed = sizeRefcounts(used.end - blocks - header.refcountTableClusters, clusterSize);
  const sound = needed.blocks === blocks && needed.tableClusters === header.refcountTableClusters;
  const [first] = used;
  if (!sound || used.total !== total || first?.start !== 0 || first.length < metadata) {
    throw malformed(`${used.total} clusters are counted, ${total} are in use`);
  }
  return new ImageReader(header.virtualSize, clusterSize, used, l2.used, reader);
}

/** An image whose metadata has been read and found sound. All sizes in bytes. */
export class ImageReader {
  constructor(
    /** A multiple of 512. */
    readonly virtualSize: number,
    readonly clusterSize: number,
    /** The clusters of the file that are in use. */
    private readonly used: CompactRanges,
    /** The clusters of the disk that have data. */
    private readonly clusters: CompactRanges,
    private readonly reader: ByteReader,
  ) {}

  /** Of the whole file. */
  get length(): number {
    return this.used.end * this.clusterSize;
  }

  /** Bytes of all data clusters together. */
  get allocatedBytes(): number {
    return this.clusters.total * this.clusterSize;
  }

  /** What the image contains, in order. */
  *allocated(): Generator<Range, void> {
    for (const { start, length } of this.clusters) {
      const from = start * this.clusterSize;
      const to = Math.min((start + length) * this.clusterSize, this.virtualSize);
      yield { start: from, length: to - from };
    }
  }

  /**
   * The data in the order of the disk, in pieces of any size; can be called once. That it ends without throwing means
   * that the image is complete and sound to its last byte.
   *
   * @throws Qcow2Error TRUNCATED, MALFORMED; whatever the source throws
   */
  async *pieces(): AsyncGenerator<Piece, void> {
    const places = dataPlaces(this.used, this.clusterSize, this.reader.position);
    let placeEnd = this.reader.position;
    try {
      for (const { start, length } of this.allocated()) {
        for (let offset = start; offset < start + length;) {
          if (this.reader.position === placeEnd) placeEnd = await this.#skipGap(places);
          const left = Math.min(start + length - offset, placeEnd - this.reader.position);
          const bytes = await this.reader.take(left);
          yield { offset, bytes };
          offset += bytes.length;
        }
      }
      await expectZeros(this.reader, this.length - this.reader.position, 'behind the end of the disk');
      if (!(await this.reader.ended())) throw malformed('the file goes on behind its last cluster');
    } finally {
      await this.reader.close();
    }
  }

  /** Goes on to the next clusters in use. @returns where they end */
  async #skipGap(places: Iterator<Range>): Promise<number> {
    const place = places.next();
    if (place.done === true) throw malformed('more data clusters than are counted');
    await expectZeros(this.reader, place.value.start - this.reader.position, 'between data clusters');
    return place.value.start + place.value.length;
  }
}

/** Where data lies in the file: the clusters in use behind the metadata, in bytes. */
function* dataPlaces(used: CompactRanges, clusterSize: number, dataOffset: number): Generator<Range, void> {
  for (const range of used) {
    const start = Math.max(range.start * clusterSize, dataOffset);
    const end = (range.start + range.length) * clusterSize;
    if (end > start) yield { start, length: end - start };
  }
}

/** @throws Qcow2Error MALFORMED, UNSUPPORTED */
function checkHeader(header: Header): void {
  const { clusterBits, virtualSize, l1Entries } = header;
  if (clusterBits < minClusterBits || clusterBits > maxClusterBits) {
    throw malformed(`clusters of 2^${clusterBits} bytes`);
  }
  const clusterSize = 2 ** clusterBits;
  if (virtualSize % sectorSize !== 0) throw malformed(`a disk of ${virtualSize} bytes`);
  if (l1Entries !== l1EntriesFor(virtualSize, clusterSize) || l1Entries * entrySize > maxL1Bytes) {
    throw malformed(`${l1Entries} L1 entries for a disk of ${virtualSize} bytes`);
  }
  const l1Clusters = Math.ceil((l1Entries * entrySize) / clusterSize);
  if (header.l1Offset !== clusterSize || header.refcountTableOffset !== (1 + l1Clusters) * clusterSize) {
    throw new Qcow2Error('UNSUPPORTED', 'the image is not laid out for streaming');
  }
  const tableBytes = header.refcountTableClusters * clusterSize;
  if (tableBytes === 0 || tableBytes > maxRefcountTableBytes) {
    throw malformed(`a refcount table of ${header.refcountTableClusters} clusters`);
  }
}

function malformed(message: string): Qcow2Error {
  return new Qcow2Error('MALFORMED', message);
}
