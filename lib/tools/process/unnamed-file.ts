import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';

/** An open file without a name: nothing of it is left, however the program ends. */
export interface UnnamedFile {
  /** Where a child of this process, or a child of its child, can read it. */
  path: string;
  close(): void;
}

/**
 * Writes a temporary file for a child that can be given a path only.
 *
 * @param folder for temporary files
 * @throws CephbackupError TEMPORARY_FULL; else the errors of the filesystem
 */
export function writeUnnamedFile(folder: string, parts: readonly NodeJS.ArrayBufferView[]): UnnamedFile {
  const own = mkdtempSync(path.join(folder, 'cephbackup-'));
  let file: number | null = null;
  try {
    file = openSync(path.join(own, 'file'), 'wx', 0o600);
    const opened = file;
    for (const part of parts) writeAll(opened, part);
    return {
      path: `/proc/${process.pid}/fd/${opened}`,
      close: () => {
        closeSync(opened);
      },
    };
  } catch (thrown) {
    // Open, it would take its space until the program ends.
    if (file !== null) closeSync(file);
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
    const size = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const message = `no room in ${folder} for a temporary file of ${size} bytes`;
    throw new CephbackupError('TEMPORARY_FULL', message, { cause: thrown });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function writeAll(file: number, part: NodeJS.ArrayBufferView): void {
  const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}
