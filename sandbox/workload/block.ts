import { randomUUID } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CephCluster } from '../ceph/cluster.js';
import { attachImage } from '../ceph/images.js';
import { imageClaim, type ClaimName, type ClaimOptions } from '../claims.js';
import { run } from '../process.js';
import { writeTables } from './content.js';
import { copyDisk, examineDisk, makeDisk, partitions, type Examination } from './partitioned-disk.js';
import type { Comparison, Workload } from './workload.js';
import { keepWriting } from './writer.js';

const mebibyte = 1024 ** 2;
/** The block that is overwritten all the time: eight bytes of a counter, again and again. */
const counter = { offset: partitions.data.start + 7 * mebibyte, length: 4096 };

export interface BlockOptions extends ClaimOptions {
  pool: string;
  title: string;
}

/** The disk of a virtual machine: partitions, a filesystem in one of them, and somebody who writes into the other. */
export async function startBlock(
  cluster: CephCluster,
  claim: ClaimName,
  { pool, title, ...options }: BlockOptions,
): Promise<Workload> {
  const image = `${pool}/csi-vol-${randomUUID()}`;
  await cluster.createImage(image, options.size);
  const attached = await attachImage(cluster, image);
  const device = await open(attached.path, 'r+');
  const disk = path.join(attached.folder, 'disk');
  await makeDisk(disk, options.size, writeTables);
  await copyDisk(disk, device);
  await rm(disk);
  const writer = keepWriting(20, async (count) => {
    const block = Buffer.alloc(counter.length);
    for (let at = 0; at < block.length; at += 8) block.writeBigUInt64BE(BigInt(count), at);
    await device.write(block, 0, block.length, counter.offset);
    await device.sync();
  });
  return {
    claim,
    title: `RBD block device, ${title}`,
    objects: imageClaim(cluster, claim, { ...options, image, fsType: null }),
    compare: async (restored) => {
      const raw = await asRaw(restored);
      const [differs, caught] = [await compareDisks(attached.path, raw, options.size), await countIn(raw)];
      return summarize(differs, caught, writer.count(), await examineDisk(raw));
    },
    stop: async () => {
      await writer.stop();
      await device.close();
      await attached.detach();
    },
  };
}

/** The one file of a restored block volume, as a raw image beside it. */
async function asRaw(restored: string): Promise<string> {
  const files = await readdir(restored);
  const [disk = ''] = files;
  if (files.length !== 1)
    throw new Error(`one file is expected in a block volume's backup: ${files.join(' ')}`);
  const raw = path.join(restored, 'raw');
  await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path.join(restored, disk), raw]);
  return raw;
}

/** The offset of the first MiB that differs, other than in the counter's block; null if none does. */
async function compareDisks(original: string, copy: string, size: number): Promise<number | null> {
  const [one, two] = await Promise.all([open(original), open(copy)]);
  const [first, second] = [Buffer.alloc(mebibyte), Buffer.alloc(mebibyte)];
  try {
    if ((await two.stat()).size !== size) return size;
    for (let at = 0; at < size; at += mebibyte) {
      await one.read(first, 0, mebibyte, at);
      await two.read(second, 0, mebibyte, at);
      if (at === counter.offset) for (const buffer of [first, second]) buffer.fill(0, 0, counter.length);
      if (!first.equals(second)) return at;
    }
    return null;
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
}

/** The counter, or null if its block is torn. */
async function countIn(file: string): Promise<bigint | null> {
  const handle = await open(file);
  try {
    const block = Buffer.alloc(counter.length);
    await handle.read(block, 0, block.length, counter.offset);
    const count = block.readBigUInt64BE(0);
    for (let at = 8; at < block.length; at += 8) if (block.readBigUInt64BE(at) !== count) return null;
    return count;
  } finally {
    await handle.close();
  }
}

function summarize(
  differs: number | null,
  caught: bigint | null,
  now: number,
  { partitions: count, filesystem }: Examination,
): Comparison {
  const differences = [
    ...(differs === null ? [] : [`differs in the MiB at ${differs}`]),
    ...(caught === null || caught < 1n ? ['the block that was being written is torn'] : []),
    ...(count === 2 ? [] : [`fdisk finds ${count} partitions`]),
    ...(filesystem === 'clean' ? [] : [`e2fsck: ${filesystem}`]),
  ];
  const summary = [
    'qemu-img convert: the same, byte for byte',
    `fdisk -l: ${count} partitions`,
    `e2fsck -fn: ${filesystem}`,
    `caught at write ${caught ?? '?'} of ${now}`,
  ];
  return { differences, summary: summary.join('; ') };
}
