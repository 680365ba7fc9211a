import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

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
 * @throws the errors of the filesystem
 */
export function writeUnnamedFile(folder: string, parts: readonly NodeJS.ArrayBufferView[]): UnnamedFile {
  const own = mkdtempSync(path.join(folder, 'cephbackup-'));
  try {
    const file = openSync(path.join(own, 'file'), 'wx', 0o600);
    for (const part of parts) writeAll(file, part);
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

function writeAll(file: number, part: NodeJS.ArrayBufferView): void {
  const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}
