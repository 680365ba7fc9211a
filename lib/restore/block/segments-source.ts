import { CephbackupError, messageOf } from '../../errors/error.js';
import type { Piece, Range } from '../../qcow2/index.js';
import { allBytes } from '../../tools/process/flow.js';
import type { Restic } from '../../tools/restic/restic.js';
import {
  diskFolder,
  formatFacts,
  imageFile,
  factsOfTime,
  parseFacts,
  segmentIndex,
  segmentLength,
  type DiskFacts,
} from '../../volumes/block/segments/format.js';
import type { ParentDisk } from '../../volumes/block/segments/base.js';
import { readParent } from '../../volumes/block/segments/parent.js';
import type { RestoreJob } from '../job.js';
import { unlimitedMs } from '../../waiting/deadline.js';
import { TarReader } from '../tar.js';
import type { DiskImage } from './disk-source.js';

/** A disk that was backed up as a folder of segments (format 2). */
export interface SegmentedDisk {
  facts: DiskFacts;
  /** In ascending order. */
  indices: number[];
}

/** Characters; what is longer is none. */
const longestFacts = 4096;

/** Null where the backup is of another format. @throws CephbackupError BACKUP_DAMAGED, REPOSITORY_… */
export async function findSegments(
  restic: Restic,
  id: string,
  signal: AbortSignal,
): Promise<SegmentedDisk | null> {
  const listed = await readParent(restic, id, signal);
  if (listed === 'other') return null;
  const indices = [...listed.segments.keys()].sort((a, b) => a - b);
  const told = factsOfTime(listed.factsTime);
  if (told !== null && misfit(told, listed) === null) return { facts: told, indices };
  // Whoever saved this set other times.
  const facts = await dumpFacts(restic, id, signal);
  const why = misfit(facts, listed);
  if (why !== null) throw damaged(id, why);
  return { facts, indices };
}

/** Why segments, by their sizes, are none of a disk of these facts; null where they may be. */
function misfit(facts: DiskFacts, { segments }: ParentDisk): string | null {
  for (const [index, { sizeBytes }] of segments) {
    const expected = segmentLength(facts, index);
    if (sizeBytes !== expected || expected <= 0)
      return `segment ${index} has ${sizeBytes} bytes instead of ${expected}`;
  }
  return null;
}

async function dumpFacts(restic: Restic, id: string, signal: AbortSignal): Promise<DiskFacts> {
  let text = '';
  const path = `/${diskFolder}/${imageFile}`;
  await restic.dump(
    id,
    path,
    async (chunks) => {
      text = (await allBytes(chunks)).toString();
    },
    { signal, deadlineMs: unlimitedMs },
  );
  return factsOf(id, text);
}

/**
 * Reads the segments in one go, as the archive that restic makes of their folder. restic checks each blob by its hash; that
 * every segment comes, whole and once, and that `image.json` says what is known of the disk, is checked here.
 *
 * @throws CephbackupError BACKUP_DAMAGED, REPOSITORY_…, RESTIC_FAILED, or what `consumer` throws
 */
export async function readSegments(
  { restic, backup, signal }: Pick<RestoreJob, 'restic' | 'backup' | 'signal'>,
  disk: SegmentedDisk,
  consumer: (image: DiskImage) => Promise<void>,
): Promise<void> {
  await restic.dump(backup.id, `/${diskFolder}`, (chunks) => consumer(imageOf(backup.id, disk, chunks)), {
    signal,
    deadlineMs: unlimitedMs,
  });
}

function imageOf(
  id: string,
  { facts, indices }: SegmentedDisk,
  chunks: AsyncIterable<Uint8Array>,
): DiskImage {
  const allocatedBytes = indices.reduce((sum, index) => sum + segmentLength(facts, index), 0);
  return {
    virtualSize: facts.sizeBytes,
    allocatedBytes,
    length: allocatedBytes + formatFacts(facts).length,
    *allocated(): Generator<Range, void> {
      let pending: Range | null = null;
      for (const index of indices) {
        const [start, length] = [index * facts.segmentBytes, segmentLength(facts, index)];
        if (pending !== null && pending.start + pending.length === start) pending.length += length;
        else {
          if (pending !== null) yield pending;
          pending = { start, length };
        }
      }
      if (pending !== null) yield pending;
    },
    pieces: () => pieces(id, { facts, indices }, chunks),
  };
}

async function* pieces(
  id: string,
  { facts, indices }: SegmentedDisk,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Piece, void> {
  const expected = indices.values();
  let ready: Piece[] = [];
  /** Where the current file's next byte belongs on the disk; null for a file that is no segment. */
  let offset: number | null = null;
  /** The text of `image.json`. */
  let told = '';
  let isFacts = false;
  const reader = new TarReader({
    file: (name, sizeBytes) => {
      isFacts = name.split('/').at(-1) === imageFile;
      const index = segmentIndex(name.split('/').slice(-2).join('/'));
      offset = index === null ? null : index * facts.segmentBytes;
      if (index === null) return;
      const { value } = expected.next();
      if (value !== index || sizeBytes !== segmentLength(facts, index))
        throw damaged(id, `segment ${index} comes where ${value ?? 'none'} should`);
    },
    bytes: (part) => {
      if (isFacts && told.length < longestFacts) told += Buffer.from(part).toString('latin1');
      if (offset === null) return;
      ready.push({ offset, bytes: part });
      offset += part.length;
    },
  });
  for await (const chunk of chunks) {
    reader.push(chunk);
    yield* ready;
    ready = [];
  }
  reader.finish();
  const { value } = expected.next();
  if (value !== undefined) throw damaged(id, `segment ${value} does not come`);
  if (formatFacts(factsOf(id, told)) !== formatFacts(facts))
    throw damaged(id, `${imageFile} says ${told.trim()}, its time ${formatFacts(facts).trim()}`);
}

function factsOf(id: string, text: string): DiskFacts {
  try {
    return parseFacts(text);
  } catch (thrown) {
    throw damaged(id, `${imageFile}: ${messageOf(thrown)}`);
  }
}

function damaged(id: string, why: string): CephbackupError {
  return new CephbackupError('BACKUP_DAMAGED', `the disk in snapshot ${id.slice(0, 8)} is damaged: ${why}`);
}
