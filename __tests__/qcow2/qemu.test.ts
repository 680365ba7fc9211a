import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  expectEqual,
  expectPattern,
  expectSound,
  generateDense,
  inFolder,
  layoutOf,
  qemuImg,
  virtualSizeOf,
  writeDisk,
  writeRaw,
  type Disk,
} from './disk.js';
import { Random, withSeeds } from './random.js';

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;
const tib = 1024 * gib;
const random = new Random(1);

function sector(offset: number): Disk['extents'][number] {
  return { offset, data: random.bytes(512) };
}

async function check(disk: Disk): Promise<void> {
  await inFolder(async (folder) => {
    expectEqual(writeRaw(disk, folder), await writeDisk(disk, folder));
  });
}

describe('QEMU finds sound and equal', () => {
  test.each<[string, Disk]>([
    ['a disk without data', { size: 10 * gib, extents: [] }],
    ['a disk of no size', { size: 0, extents: [] }],
    ['one sector', { size: 512, extents: [sector(0)] }],
    ['an odd size', { size: 1_000_001, extents: [{ offset: 999_936, data: random.bytes(65) }] }],
    ['random data all over', { size: 5 * mib, extents: [{ offset: 0, data: random.bytes(5 * mib) }] }],
    ['stretches with gaps', { size: 20 * mib, extents: [{ offset: mib, data: random.bytes(15 * mib) }] }],
    ['the first and the last sector', { size: 20 * gib, extents: [sector(0), sector(20 * gib - 512)] }],
    [
      'every other cluster',
      {
        size: 16 * mib,
        clusterBits: 16,
        extents: Array.from({ length: 128 }, (_, i) => ({
          offset: i * 128 * kib,
          data: random.bytes(64 * kib),
        })),
      },
    ],
    [
      'scattered extents of 20 GiB',
      { size: 20 * gib, extents: Array.from({ length: 500 }, (_, i) => sector(i * 41_943_040 + i * 512)) },
    ],
  ])('%s', async (_, disk) => {
    await check(disk);
  });

  // No filesystem here holds raw files that large, so QEMU reads single places.
  test.each([
    { name: '16 TiB', size: 16 * tib, offsets: [0, 9 * tib, 16 * tib - 512] },
    { name: 'more than clusters of 64 KiB reach', size: 4096 * tib, offsets: [512, 3000 * tib + 1024] },
  ])('$name', async ({ size, offsets }) => {
    const extents = offsets.map((offset) => ({ offset, data: Buffer.alloc(512, 0xa5) }));
    await inFolder(async (folder) => {
      const image = await writeDisk({ size, extents }, folder);
      expectSound(image);
      expect(virtualSizeOf(image, 'qcow2')).toBe(size);
      for (const offset of offsets) {
        expectPattern(image, offset, 512, 0xa5);
        if (offset + 1024 <= size) expectPattern(image, offset + 512, 512, 0);
      }
      expect(() => {
        expectPattern(image, 1 * tib, 512, 0xa5);
      }).toThrow('Pattern verification failed');
    });
  });

  test('qemu-img convert gives the disk back', async () => {
    const extents = [300, 70_000, 200_000].map((offset) => ({ offset, data: random.bytes(12_345) }));
    await inFolder(async (folder) => {
      const image = await writeDisk({ size: 262_144, extents }, folder);
      const raw = path.join(folder, 'out.raw');
      qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
      const expected = Buffer.alloc(262_144);
      for (const { offset, data } of extents) data.copy(expected, offset);
      expect(readFileSync(raw).equals(expected)).toBe(true);
    });
  });

  // The boundaries of a cluster, an L2 table and an L1 cluster, one sector to each side.
  const boundaries = [9, 12, 16].flatMap((clusterBits) => {
    const cluster = 2 ** clusterBits;
    const table = cluster * (cluster / 8);
    return [cluster, 2 * cluster, table, ...(clusterBits < 16 ? [table * (cluster / 8)] : [])].flatMap(
      (edge) => [edge - 512, edge, edge + 512].map((size) => ({ clusterBits, size })),
    );
  });
  test.each(boundaries.filter(({ size }) => size > 0))(
    '$size bytes in clusters of 2^$clusterBits',
    async ({ size, clusterBits }) => {
      const offsets = [...new Set([0, Math.max(0, size - 1024), size - 512])];
      await check({ size, clusterBits, extents: offsets.map(sector) });
    },
  );

  test('generated disks', async () => {
    await withSeeds(25, async (seeded) => {
      await check(generate(seeded));
    });
  });

  test('generated disks with gaps', async () => {
    await withSeeds(8, async (seeded) => {
      const disk = generateDense(seeded);
      expect(layoutOf(disk).gapClusters).toBeGreaterThan(0);
      await check(disk);
    });
  });
});

function generate(seeded: Random): Disk {
  const size = seeded.integer(1, 2 ** seeded.integer(10, 40));
  const extents: Disk['extents'] = [];
  let at = 0;
  for (let i = seeded.integer(0, 60); i > 0 && at < size; i--) {
    const offset = at + seeded.integer(0, Math.ceil((size - at) / seeded.pick([1, 10, 1000, 1_000_000])));
    const length = Math.min(size - offset, seeded.integer(1, 2 ** seeded.integer(0, 18)));
    if (length <= 0) break;
    extents.push({ offset, data: seeded.bytes(length) });
    at = offset + length;
  }
  const smallest = size > 2 ** 36 ? 16 : 9;
  const clusterBits = seeded.pick([null, seeded.integer(smallest, 21)]);
  return { size, extents, ...(clusterBits === null ? {} : { clusterBits }) };
}
