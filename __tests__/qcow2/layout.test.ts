import { describe, expect, test } from '@jest/globals';
import { ExtentList, planLayout, Qcow2Error } from '../../lib/qcow2/index.js';
import { sizeRefcounts } from '../../lib/qcow2/layout.js';
import { withSeeds } from './random.js';

const mib = 1024 ** 2;
const gib = 1024 ** 3;
const tib = 1024 ** 4;

function plan(virtualSize: number, pairs: [number, number][], clusterBits?: number) {
  const extents = ExtentList.of(pairs);
  return planLayout({ virtualSize, extents, ...(clusterBits === undefined ? {} : { clusterBits }) });
}

describe('planLayout', () => {
  test('puts all metadata first, in order', () => {
    const cluster = 65_536;
    const layout = plan(
      gib,
      [
        [100, 1],
        [cluster, 2 * cluster],
        [700 * mib, 1],
      ],
      16,
    );
    expect(layout).toMatchObject({
      l1Entries: 2,
      l1Offset: cluster,
      refcountTableOffset: 2 * cluster,
      refcountTableClusters: 1,
      refcountBlocksOffset: 3 * cluster,
      refcountBlocks: 1,
      l2Offset: 4 * cluster,
      l2Tables: 2,
      dataOffset: 6 * cluster,
      dataClusters: 4,
      gapClusters: 0,
      length: 10 * cluster,
    });
  });

  test('rounds the size up to a sector', () => {
    expect(plan(1_000_001, []).virtualSize).toBe(1_000_448);
    expect(plan(512, []).virtualSize).toBe(512);
  });

  test.each<[string, number, [number, number][], number]>([
    ['a sector', 512, [[0, 512]], 12],
    ['single sectors far apart', 20 * gib, Array.from({ length: 5000 }, (_, i) => [i * 4 * mib, 512]), 12],
    [
      'many extents of some hundred KiB',
      20 * gib,
      Array.from({ length: 5000 }, (_, i) => [(i * mib) / 4, 100 * 1024]),
      12,
    ],
    ['whole objects', 20 * gib, Array.from({ length: 330 }, (_, i) => [i * 60 * mib, 4 * mib]), 16],
    ['a full large disk', 16 * tib, [[0, 16 * tib]], 20],
    ['more than smaller clusters reach', 4096 * tib, [[0, 512]], 20],
    ['more than 1 MiB clusters reach', 8000 * tib, [[0, 512]], 20],
  ])('chooses clusters for %s', (_, size, pairs, clusterBits) => {
    expect(plan(size, pairs).clusterBits).toBe(clusterBits);
  });

  test('keeps metadata and padding small', () => {
    const objects = plan(
      20 * gib,
      Array.from({ length: 330 }, (_, i) => [i * 60 * mib, 4 * mib]),
    );
    const gaps = objects.gapClusters * objects.clusterSize;
    expect((objects.length - gaps) / objects.extents.bytes).toBeLessThan(1.003);
    expect(gaps / objects.extents.bytes).toBeLessThan(0.032);
    const sectors = plan(
      20 * gib,
      Array.from({ length: 5000 }, (_, i) => [i * 4 * mib + 4096, 4096]),
    );
    expect(sectors.length / sectors.extents.bytes).toBeLessThan(2.1);
    expect(plan(512, [[0, 512]]).length).toBe(6 * 4096);
    expect(plan(16 * tib, []).length).toBeLessThan(mib);
  });

  test.each<[string, () => unknown]>([
    ['an extent beyond the end', () => plan(1000, [[512, 512]])],
    ['a negative size', () => plan(-1, [])],
    ['a size that is no number', () => plan(NaN, [])],
    ['clusters too small', () => plan(512, [], 8)],
    ['clusters too large', () => plan(512, [], 22)],
    ['tables that QEMU refuses', () => plan(16 * tib, [], 12)],
    [
      'overlapping extents',
      () =>
        plan(1000, [
          [0, 10],
          [9, 1],
        ]),
    ],
    [
      'extents out of order',
      () =>
        plan(1000, [
          [10, 10],
          [0, 1],
        ]),
    ],
    ['an empty extent', () => plan(1000, [[0, 0]])],
    ['a fraction of a byte', () => plan(1000, [[0, 0.5]])],
  ])('refuses %s', (_, act) => {
    expect(act).toThrow(Qcow2Error);
  });

  test('counts its own refcounts, and no more than it needs', async () => {
    await withSeeds(2000, (random) => {
      const clusterSize = 2 ** random.integer(9, 21);
      const others = random.integer(1, 2 ** random.integer(1, 40));
      const { blocks, tableClusters } = sizeRefcounts(others, clusterSize);
      const total = others + blocks + tableClusters;
      expect(blocks * (clusterSize / 2)).toBeGreaterThanOrEqual(total);
      expect(tableClusters * (clusterSize / 8)).toBeGreaterThanOrEqual(blocks);
      // One block fewer would not be enough.
      if (blocks > 1) expect((blocks - 1) * (clusterSize / 2)).toBeLessThan(total);
    });
  });

  test('plans a million extents without comparing each with each, which would take hours', () => {
    const count = 1_000_000;
    const extents = new ExtentList();
    for (let i = 0; i < count; i++) extents.push(i * 16 * mib + (i % 4096) * 512, 4096);
    const started = performance.now();
    const layout = planLayout({ virtualSize: 16 * tib, extents });
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(layout.extents.count).toBe(count);
  });
});

describe('ExtentList', () => {
  test('joins what touches', () => {
    const list = ExtentList.of([
      [0, 5],
      [5, 5],
      [11, 1],
    ]);
    expect([...list]).toEqual([
      { start: 0, length: 10 },
      { start: 11, length: 1 },
    ]);
    expect(list.bytes).toBe(11);
    expect(list.end).toBe(12);
  });

  test('comes back from its arrays', () => {
    const list = ExtentList.of(Array.from({ length: 5000 }, (_, i) => [i * 10, 9] as const));
    const { offsets, lengths } = list.arrays();
    expect([...ExtentList.from(offsets.slice(), lengths.slice())]).toEqual([...list]);
  });
});
