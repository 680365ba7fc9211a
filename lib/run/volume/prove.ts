import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import type { Leftover } from '../../ownership/scope.js';
import { proveSnapshot } from '../../repository/proof.js';
import type { DirectorySource } from '../../repository/source.js';
import { findBelow } from '../../tools/node/find.js';
import type { Exec } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import type { BackupSummary } from '../../tools/restic/restic.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { unlimitedMs } from '../../waiting/deadline.js';
import type { Attempt } from './attempt.js';
import { refuseEverythingExcluded } from './everything-excluded.js';
import type { Prepared } from './prepare.js';

/** A snapshot in the repository that is known to be complete. */
export interface ProvenBackup {
  summary: BackupSummary;
  snapshot: ResticSnapshot;
  /** Exact size of a disk in bytes; null for files. */
  imageSize: number | null;
  leftovers: Leftover[];
  /** Of a disk that is backed up by segments: whether the previous backup's data was used, or why not. */
  base: string | null;
  /** Bytes that were read from the volume, where the source knows better than restic. */
  bytesRead: number | null;
}

/**
 * For so long a snapshot that restic has saved is waited for with nothing heard: restic itself asks a repository that is
 * away for 15 minutes.
 */
const proofLimitMs = 20 * 60_000;

/** Proves what restic has saved, and releases the volume meanwhile. What cannot be proven is a stray. */
export async function proveAndUnwind(
  attempt: Attempt,
  prepared: Prepared,
  summary: BackupSummary,
): Promise<ProvenBackup> {
  const { source } = prepared;
  try {
    const leastEntries = await confirmSource(attempt, prepared, summary);
    // The proof reads the repository alone, so that unwinding need not wait for it.
    attempt.step('proving and unwinding');
    const disk = source.type === 'directory' ? source.disk : undefined;
    attempt.futureBase = disk?.snapshot ?? null;
    attempt.futureBase?.hold();
    const [proven, unwound] = await Promise.allSettled([
      proofOf(attempt, prepared, summary, leastEntries),
      attempt.unwind(),
    ]);
    if (proven.status === 'rejected') throw proven.reason;
    return {
      summary,
      snapshot: proven.value,
      imageSize: source.type === 'stream' ? source.imageSize : (disk?.imageSize ?? null),
      base: source.type === 'stream' ? (source.base ?? null) : (disk?.base ?? null),
      bytesRead: disk?.bytesRead() ?? null,
      leftovers: unwound.status === 'fulfilled' ? unwound.value : [],
    };
  } catch (thrown) {
    attempt.stray(summary.snapshotId, asCephbackupError(thrown).message);
    throw thrown;
  }
}

function proofOf(
  { tools, volume, time }: Attempt,
  { source, tags }: Prepared,
  summary: BackupSummary,
  leastEntries: number,
): Promise<ResticSnapshot> {
  return proveSnapshot(tools.readBack.readerFor(volume.uid), {
    host: volume.host,
    tags,
    time,
    summary,
    expectedBytes: source.type === 'stream' ? source.length : (source.disk?.expectedBytes ?? null),
    leastEntries,
    deadlineMs: proofLimitMs,
  });
}

/**
 * While the volume can still be read: it is what was prepared.
 * @returns the least that a complete backup has seen: files and directories
 * @throws CephbackupError EXCLUDES_ALL, MOUNT_WRONG, SNAPSHOT_VANISHED …
 */
async function confirmSource(
  { tools, excludes }: Attempt,
  { source, rules }: Prepared,
  { filesProcessed }: BackupSummary,
): Promise<number> {
  let entries = 1;
  if (source.type === 'directory' && source.disk !== undefined) entries = source.disk.entries;
  else if (source.type === 'directory') {
    await refuseEverythingExcluded(tools.exec, source, rules, filesProcessed);
    const inRoot = await rootEntries(tools.exec, source);
    entries = excludes.length === 0 ? inRoot : Math.min(inRoot, 1);
  }
  await source.confirm();
  return entries;
}

/** Files and directories directly below the volume's root: as long as more are found, nothing ends it. */
async function rootEntries(exec: Exec, { namespace, path }: DirectorySource): Promise<number> {
  const options = { namespace, deadlineMs: unlimitedMs, silenceMs: proofLimitMs };
  const each = ['-type', 'f,d', '-printf', 'x'];
  const { stdout, stderr, exitCode } = await findBelow(exec, { directory: path, depth: 1 }, each, options);
  if (exitCode !== 0)
    throw new CephbackupError('COMMAND_FAILED', `find in the volume's root: ${lastLine(stderr)}`);
  return stdout.length;
}
