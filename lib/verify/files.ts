import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { Restic } from '../tools/restic/restic.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';
import { TarReader } from '../restore/tar.js';
import { unlimitedMs } from '../waiting/deadline.js';

export interface FilesJob {
  restic: Restic;
  /** With what restic counted when it made the backup. */
  snapshot: Pick<ResticSnapshot, 'id' | 'summary'>;
  signal: AbortSignal;
  moved: (bytes: number) => void;
  warn: (text: string) => void;
}

export interface FilesProof {
  /** Of all files together. */
  bytes: number;
  /** Null where they could not be counted. */
  files: number | null;
}

/**
 * Reads every file of a snapshot, in the order of its tree, and keeps none. restic compares each piece with its hash and
 * each file with the length that its directory names; here files and bytes are compared with what was counted when the
 * backup was made.
 *
 * @throws CephbackupError BACKUP_DAMAGED, RESTIC_FAILED, REPOSITORY_…
 */
export async function readFiles(job: FilesJob): Promise<FilesProof> {
  try {
    return compareWithSummary(job, await readTar(job));
  } catch (thrown) {
    if (!unfitForTar(asCephbackupError(thrown))) throw thrown;
    job.warn(
      'a file has attributes that no tar archive can carry: all data was read and compared with its hashes, but the lengths of files were not',
    );
    return { bytes: await readZip(job), files: null };
  }
}

async function readTar({ restic, snapshot, signal, moved }: FilesJob): Promise<FilesProof> {
  const tar = new TarReader();
  const consume = async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) {
      tar.push(chunk);
      moved(chunk.length);
    }
    tar.finish();
  };
  await restic.dump(snapshot.id, '/', consume, { signal, deadlineMs: unlimitedMs });
  return tar.content;
}

/** Slower, because it is compressed. */
async function readZip({ restic, snapshot, signal, moved }: FilesJob): Promise<number> {
  const consume = async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) moved(chunk.length);
  };
  await restic.dump(snapshot.id, '/', consume, { signal, deadlineMs: unlimitedMs, archive: 'zip' });
  return snapshot.summary?.bytesProcessed ?? 0;
}

/** An extended attribute with a `=` in its name, for example. The rest of the message is a tenant's. */
function unfitForTar({ message }: CephbackupError): boolean {
  return /^restic dump [0-9a-f]+: (Fatal: )?cannot dump file: writing header for /.test(message);
}

/** Devices and FIFOs are files of no bytes in the archive, and restic does not count them: there may be more, never fewer. */
function compareWithSummary({ snapshot: { summary } }: FilesJob, read: FilesProof): FilesProof {
  const few = summary !== null && (read.files ?? 0) < summary.filesProcessed;
  if (summary === null || (!few && read.bytes === summary.bytesProcessed)) return read;
  throw new CephbackupError(
    'BACKUP_DAMAGED',
    `${read.files ?? 0} files with ${read.bytes} bytes were read, but ${summary.filesProcessed} with ${summary.bytesProcessed} bytes were backed up`,
  );
}
