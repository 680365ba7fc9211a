import type { ExtentList } from './extents.js';
import type { Range } from './ranges.js';

const { ceil, floor, max, min } = Math;

/** Clusters of the disk, by number, that follow each other in the file. */
export interface DataRun extends Range {
  /** Free clusters before them in the file: 0 or 1. */
  gap: number;
}

const mib = 1024 * 1024;
/** What changes together: disks are kept, and often written, in objects of this size. Bytes. */
const stretchSize = 4 * mib;
/** The least that restic takes for a chunk. Bytes. */
const minChunk = mib / 2;
/** Larger ones are too much to leave free; two of 64 KiB make a stretch 3 % longer. Bytes. */
const largestGap = 64 * 1024;

/**
 * The data clusters in the order of the disk and of the file, with the gaps between them: free clusters, zeros in the file,
 * where a deduplicating store ends its chunks. Without them chunks reach from one stretch of 4 MiB into the next, and
 * are stored again when either changes.
 *
 * restic ends a chunk of at least 512 KiB where 20 bits of a hash of the last 64 bytes are zero, and they are behind 64
 * zeros. At the end of a stretch a third of all chunks are still too short for that; a gap 512 KiB before it makes a fifteenth
 * of the third. Whether there is a gap depends on its own stretch alone, so that a change moves no other.
 */
export function* dataRuns(extents: ExtentList, clusterSize: number): Generator<DataRun, void> {
  const sectionEnd = sections(clusterSize);
  const enough = minChunk / clusterSize - 1;
  let lastSection = sectionEnd(0);
  let filled = 0;
  /** The next cluster to be given out. */
  let from = 0;
  for (let i = 0; i < extents.count; i++) {
    const offset = extents.offset(i);
    from = max(from, floor(offset / clusterSize));
    const end = ceil((offset + extents.length(i)) / clusterSize);
    while (from < end) {
      const section = sectionEnd(from);
      const entered = section !== lastSection;
      const length = min(section, end) - from;
      yield { start: from, length, gap: entered && filled >= enough ? 1 : 0 };
      filled = (entered ? 0 : filled) + length;
      lastSection = section;
      from += length;
    }
  }
}

/** Tells where the section ends that a cluster lies in: the second of a stretch is, with the gap before it, 512 KiB long. */
function sections(clusterSize: number): (cluster: number) => number {
  if (clusterSize > largestGap) return () => Infinity;
  const stretch = stretchSize / clusterSize;
  const second = minChunk / clusterSize - 1;
  return (cluster) => {
    const end = (floor(cluster / stretch) + 1) * stretch;
    return end - cluster > second ? end - second : end;
  };
}
