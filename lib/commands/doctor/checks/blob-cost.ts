/** How large a repository's index is, as far as it can be told without loading it. */
export interface IndexFiles {
  /** In the repository. */
  files: number;
  /** Those of them that restic's cache has, which may be fewer; null where there is no cache. */
  cached: { files: number; bytes: number } | null;
  /** Of the repository's format: from 2 on index files are compressed. */
  version: number;
}

/** restic fills no index file with more [restic internal/repository/index/index.go, indexMaxBlobs]. */
const mostBlobsInFile = 50_000;
/** What a blob takes in an index file: measured, `npm run bench -- large-repository`. */
const bytesOfBlob = { plain: 150, compressed: 52 };

/** About how many blobs there are; where nothing is cached, how many there are at most. */
export function blobsIn({ files, cached, version }: IndexFiles): number {
  const most = files * mostBlobsInFile;
  if (cached === null || cached.files === 0) return most;
  const each = version >= 2 ? bytesOfBlob.compressed : bytesOfBlob.plain;
  return Math.min(most, Math.round((cached.bytes / cached.files / each) * files));
}

/** Measured, `npm run bench -- large-repository` (docs/performance.md): of a restic that has loaded the index. */
const [baseBytes, bytesEach] = [140e6, 105];
const [baseSeconds, secondsEach] = [0.5, 4e-6];

export interface IndexCost {
  /** Of each restic that reads or writes data. */
  bytes: number;
  /** Of a processor, before it reads or writes any. */
  processorSeconds: number;
}

export function costOfIndex(blobs: number): IndexCost {
  return { bytes: baseBytes + bytesEach * blobs, processorSeconds: baseSeconds + secondsEach * blobs };
}
