import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { ExtentList } from '../../qcow2/extents.js';

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
  size: number;
  clusterBits: number;
  /** Bytes that the producer will write. */
  length: number;
  extents: ExtentList;
}

/** An open file without a name: nothing of it is left, however the program ends. */
export interface PlanFile {
  /** Where a child of this process, or a child of its child, can read it. */
  path: string;
  close(): void;
}

/**
 * Keeps a plan where the producer finds it: a million extents are too much for argv, and restic passes on no descriptor.
 *
 * @param folder for temporary files
 * @throws the errors of the filesystem
 */
export function writePlanFile(plan: ExportPlan, folder: string): PlanFile {
  const own = mkdtempSync(path.join(folder, 'cephbackup-'));
  try {
    const file = openSync(path.join(own, 'plan'), 'wx', 0o600);
    const { extents, ...rest } = plan;
    const { offsets, lengths } = extents.arrays();
    // One line of JSON, then the extents as the machine has them in memory.
    const head = Buffer.from(`${JSON.stringify({ ...rest, count: extents.count })}\n`);
    for (const part of [head, offsets, lengths]) writeAll(file, part);
    return {
      path: `/proc/${process.pid}/fd/${file}`,
      close: () => {
        closeSync(file);
      },
    };
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function writeAll(file: number, part: Buffer | Float64Array): void {
  const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
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
