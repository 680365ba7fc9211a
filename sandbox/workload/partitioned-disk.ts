import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { attempt, run } from '../process.js';
import { randomBytesOf } from './random.js';

const mebibyte = 1024 ** 2;
const sector = 512;

/** Bytes: the first partition has a filesystem, the second is used as it is, the space behind it is not used at all. */
export const partitions = {
  filesystem: { start: mebibyte, size: 31 * mebibyte },
  data: { start: 32 * mebibyte, size: 16 * mebibyte },
};

/**
 * Makes a disk as a virtual machine has one, as a sparse raw file of `size` bytes.
 * @param fill writes the files of the first partition
 */
export async function makeDisk(
  file: string,
  size: number,
  fill: (root: string) => Promise<void>,
): Promise<void> {
  const { filesystem, data } = partitions;
  const table = [filesystem, data].map(
    (partition) => `start=${partition.start / sector}, size=${partition.size / sector}, type=83\n`,
  );
  const root = `${file}.root`;
  await mkdir(root);
  await fill(root);
  const disk = await open(file, 'w');
  await disk.truncate(size);
  await disk.write(randomBytesOf(1, 3 * mebibyte), 0, 3 * mebibyte, data.start);
  await disk.close();
  await run('sfdisk', ['--quiet', file], { input: `label: dos\n${table.join('')}` });
  const place = ['-E', `offset=${filesystem.start}`, file, `${filesystem.size / 1024}k`];
  await run('mkfs.ext4', ['-q', '-F', '-b', '1024', '-d', root, ...place]);
  await rm(root, { recursive: true });
}

/** Copies what is not zeros. */
export async function copyDisk(file: string, device: FileHandle): Promise<void> {
  const source = await open(file);
  const buffer = Buffer.alloc(mebibyte);
  try {
    for (let at = 0; ; at += mebibyte) {
      const { bytesRead } = await source.read(buffer, 0, mebibyte, at);
      if (bytesRead === 0) return;
      if (buffer.some((byte) => byte !== 0)) await device.write(buffer, 0, bytesRead, at);
    }
  } finally {
    await source.close();
  }
}

export interface Examination {
  /** How many `fdisk` finds. */
  partitions: number;
  /** `clean`, or what e2fsck says of the first one's filesystem. */
  filesystem: string;
}

export async function examineDisk(file: string): Promise<Examination> {
  const listed = await run('fdisk', ['--list', file]);
  const place = `${file}?offset=${partitions.filesystem.start}`;
  const { code, stdout, stderr } = await attempt('e2fsck', ['-f', '-n', place]);
  return {
    partitions: listed.split('\n').filter((line) => line.startsWith(file)).length,
    filesystem: code === 0 ? 'clean' : `${stdout}${stderr}`.trim(),
  };
}
