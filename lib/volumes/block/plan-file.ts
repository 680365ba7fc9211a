import { readFileSync } from 'node:fs';
import { ExtentList } from '../../qcow2/extents.js';
import { writeUnnamedFile, type UnnamedFile } from '../../tools/process/unnamed-file.js';

/** What the producer needs to know, decided before it starts. */
export interface ExportPlan {
  /** Arguments of rbd that write the snapshot's content to stdout. */
  exportArgs: string[];
  /** Arguments of rbd that list the image's snapshots as JSON. */
  snapListArgs: string[];
  snapshot: string;
  /** The snapshot's number, read before the extents were: nothing else ever has the same. */
  snapshotId: number;
  /** Exact size of the snapshot in bytes. */
  sizeBytes: number;
  clusterBits: number;
  /** After so long without a byte of it, the export is ended. */
  silenceMs: number;
  /** Bytes that the producer will write. */
  length: number;
  extents: ExtentList;
}

/**
 * Keeps a plan where the producer finds it: a million extents are too much for argv, and restic passes on no descriptor.
 *
 * @param folder for temporary files
 * @throws the errors of the filesystem
 */
export function writePlanFile(plan: ExportPlan, folder: string): UnnamedFile {
  const { extents, ...rest } = plan;
  const { offsets, lengths } = extents.arrays();
  // One line of JSON, then the extents as the machine has them in memory.
  const head = Buffer.from(`${JSON.stringify({ ...rest, count: extents.count })}\n`);
  return writeUnnamedFile(folder, [head, offsets, lengths]);
}

/** @throws Error where the file cannot be read, or is not what `writePlanFile` wrote */
export function readPlanFile(file: string): ExportPlan {
  const content = readFileSync(file);
  const lineEnd = content.indexOf('\n');
  const { count, ...rest } = JSON.parse(content.toString('utf8', 0, lineEnd)) as Omit<
    ExportPlan,
    'extents'
  > & {
    count: number;
  };
  const bytes = count * Float64Array.BYTES_PER_ELEMENT;
  if (content.length !== lineEnd + 1 + 2 * bytes) throw new Error(`${file} is incomplete`);
  const array = (start: number) => new Float64Array(content.buffer.slice(start, start + bytes));
  const start = content.byteOffset + lineEnd + 1;
  return { ...rest, extents: ExtentList.from(array(start), array(start + bytes)) };
}
