import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MountNamespace } from '../namespace.js';
import { run } from '../process.js';
import type { TestBed, Volume } from './test-bed.js';

export interface Filled {
  name: string;
  files: number;
  /** What each file may take, with all that belongs to it. */
  bytesPerFile: number;
  blockBytes: number;
  /** Makes them in a folder. */
  fill: (root: string) => void;
  /** The last look at the filesystem's file, which has a folder for scratch. */
  finish?: (file: string, folder: string) => Promise<void>;
}

/** An ext4 of very many files, made in a file and imported: a pod would need an hour. */
export async function filledVolume(
  bed: TestBed,
  { name, files, bytesPerFile, blockBytes, fill, finish }: Filled,
): Promise<Volume> {
  const folder = path.join(bed.folder, 'filesystem');
  const [file, root] = [path.join(folder, 'file'), path.join(folder, 'root')];
  await mkdir(root, { recursive: true });
  await writeFile(file, '');
  await truncate(file, files * bytesPerFile + 256 * 1024 ** 2);
  const inodes = Math.ceil(files * 1.05) + 1_000;
  await run('mkfs.ext4', ['-q', '-F', '-b', String(blockBytes), '-N', String(inodes), file]);
  const namespace = await MountNamespace.create();
  try {
    await namespace.run('mount', ['-o', 'loop', '--', file, root]);
    fill(namespace.path(root));
    await namespace.run('umount', ['--', root]);
  } finally {
    await namespace.close();
  }
  await finish?.(file, folder);
  const volume = await bed.imported(name, file);
  await rm(folder, { recursive: true });
  return volume;
}
