import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomBytesOf } from '../workload/random.js';

export interface Contents {
  seed: number;
  smallFiles: number;
  /** Bytes of each large file. */
  largeFiles: readonly number[];
}

const filesPerFolder = 100;
/** Bytes of a small file: 100 to 8,099. */
const sizeOf = (index: number) => 100 + ((index * 7919) % 8000);

/** Fills a folder with small files, a hundred a folder, and a few large ones; none can be compressed. */
export function writeContents(root: string, { seed, smallFiles, largeFiles }: Contents): void {
  // Each file is another part of the same noise.
  const noise = randomBytesOf(seed, smallFiles * 64 + 8192);
  let folder = root;
  for (let index = 0; index < smallFiles; index += 1) {
    if (index % filesPerFolder === 0) {
      folder = path.join(root, `folder-${index / filesPerFolder}`);
      mkdirSync(folder);
    }
    writeFileSync(path.join(folder, `file-${index}`), noise.subarray(index * 64, index * 64 + sizeOf(index)));
  }
  for (const [index, length] of largeFiles.entries()) {
    writeFileSync(path.join(root, `large-${index}`), randomBytesOf(seed * 1000 + index + 1, length));
  }
}
