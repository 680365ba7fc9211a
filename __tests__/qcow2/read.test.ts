import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { ExtentList, openImage, planLayout, Qcow2Error, writeImage } from '../../lib/qcow2/index.js';
import { CompactRanges } from '../../lib/qcow2/compact-ranges.js';
import { headerLength } from '../../lib/qcow2/format.js';
import { generateDense, imageOf, layoutOf, type Disk } from './disk.js';
import { Random, withSeeds } from './random.js';

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The disk that the image stands for. */
async function read(image: Uint8Array, chunk = 65_536): Promise<Buffer> {
  const reader = await openImage(cut(image, chunk));
  const disk = Buffer.alloc(reader.virtualSize);
  let end = 0;
  for await (const { offset, bytes } of reader.pieces()) {
    expect(offset).toBeGreaterThanOrEqual(end);
    disk.set(bytes, offset);
    end = offset + bytes.length;
  }
  return disk;
}

function contentsOf({ size, extents }: Disk): Buffer {
  const contents = Buffer.alloc(Math.ceil(size / 512) * 512);
  for (const { offset, data } of extents) data.copy(contents, offset);
  return contents;
}

function generate(random: Random): Disk {
  const size = random.integer(1, 2_000_000);
  const extents: Disk['extents'] = [];
  for (let at = random.integer(0, size); at < size; at += random.integer(0, size)) {
    const data = random.bytes(random.integer(1, Math.min(size - at, 50_000)));
    extents.push({ offset: at, data });
    at += data.length;
  }
  return { size, extents, clusterBits: random.integer(9, 16) };
}

const random = new Random(3);
const small: Disk = {
  size: 100_000,
  clusterBits: 9,
  extents: [0, 40_000, 99_000].map((offset) => ({ offset, data: random.bytes(1000) })),
};

describe('openImage', () => {
  test('gives back what was written', async () => {
    await withSeeds(50, async (seeded) => {
      const disk = generate(seeded);
      const found = await read(await imageOf(disk), seeded.pick([1000, 4096, 100_000]));
      expect(found.equals(contentsOf(disk))).toBe(true);
    });
  });

  test('tells the size, the length and what is there before any data', async () => {
    const image = await imageOf(small);
    const reader = await openImage(cut(image.subarray(0, layoutOf(small).dataOffset), 100));
    expect(reader.virtualSize).toBe(100_352);
    expect(reader.length).toBe(image.length);
    expect([...reader.allocated()]).toEqual([
      { start: 0, length: 1024 },
      { start: 39_936, length: 1536 },
      { start: 98_816, length: 1536 },
    ]);
  });

  test('finds every truncation', async () => {
    const image = await imageOf(small);
    for (let length = 0; length < image.length; length += 101) {
      await expect(read(image.subarray(0, length))).rejects.toMatchObject({ code: 'TRUNCATED' });
    }
    await expect(read(image.subarray(0, image.length - 1))).rejects.toMatchObject({ code: 'TRUNCATED' });
  });

  test('refuses what follows the last cluster', async () => {
    const image = await imageOf(small);
    await expect(read(Buffer.concat([image, Buffer.alloc(1)]))).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('finds a flipped bit anywhere in the metadata', async () => {
    const image = await imageOf(small);
    // The size itself has no redundancy within a cluster: who wrote the image keeps it elsewhere.
    const unprotected = (at: number) => at >= 24 && at < 32;
    for (let at = 0; at < layoutOf(small).dataOffset; at++) {
      if (unprotected(at)) continue;
      const broken = Buffer.from(image);
      broken[at] = (broken[at] ?? 0) ^ (1 << (at % 8));
      await expect(read(broken)).rejects.toBeInstanceOf(Qcow2Error);
    }
  });

  test('survives hostile images', async () => {
    const image = await imageOf(small);
    const dataOffset = layoutOf(small).dataOffset;
    await withSeeds(500, async (seeded) => {
      const broken = Buffer.from(image);
      for (let i = seeded.integer(1, 8); i > 0; i--) {
        const at = seeded.pick([seeded.integer(0, 103), seeded.integer(0, dataOffset - 1)]);
        broken[at] = seeded.pick([0, 1, 0x7f, 0x80, 0xff, seeded.integer(0, 255)]);
      }
      try {
        const reader = await openImage(cut(broken, 4096));
        for await (const piece of reader.pieces()) {
          expect(piece.offset + piece.bytes.length).toBeLessThanOrEqual(reader.virtualSize);
        }
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(Qcow2Error);
      }
    });
  });

  test('gives back what was written with gaps', async () => {
    await withSeeds(10, async (seeded) => {
      const disk = generateDense(seeded);
      const found = await read(await imageOf(disk), seeded.pick([4096, 100_000]));
      expect(found.equals(contentsOf(disk))).toBe(true);
    });
  });

  test('reads images of earlier versions, which have no gaps', async () => {
    const image = gunzipSync(readFileSync(path.join(import.meta.dirname, 'without-gaps.qcow2.gz')));
    const cluster = 65_536;
    const disk = Buffer.alloc(320 * cluster);
    for (const [start, end] of [
      [0, 144],
      [177, 257],
    ] as const) {
      for (let i = start; i < end; i++) disk.fill((i % 251) + 1, i * cluster, (i + 1) * cluster);
    }
    expect((await read(image)).equals(disk)).toBe(true);
    // It would have gaps today.
    const extents = [{ offset: 0, data: disk.subarray(0, 144 * cluster) }];
    expect(layoutOf({ size: disk.length, extents, clusterBits: 16 }).gapClusters).toBe(4);
  });

  test('finds what is wrong about gaps', async () => {
    const disk: Disk = {
      size: 9_000_000,
      clusterBits: 16,
      extents: [{ offset: 0, data: Buffer.alloc(9_000_000, 7) }],
    };
    const { refcountBlocksOffset, dataOffset, clusterSize } = layoutOf(disk);
    const image = await imageOf(disk);
    const gap = dataOffset + 57 * clusterSize;
    expect(image.subarray(gap - 1, gap + 1)).toEqual(Buffer.from([7, 0]));
    const countOfGap = refcountBlocksOffset + (gap / clusterSize) * 2 + 1;
    expect(image.subarray(countOfGap - 2, countOfGap + 1)).toEqual(Buffer.from([1, 0, 0]));
    for (const at of [gap, gap + clusterSize - 1, countOfGap, countOfGap - 2]) {
      const broken = Buffer.from(image);
      broken[at] = (broken[at] ?? 0) ^ 1;
      await expect(read(broken)).rejects.toMatchObject({ code: 'MALFORMED' });
    }
    await withSeeds(200, async (seeded) => {
      const at = seeded.integer(32, dataOffset - 1);
      const broken = Buffer.from(image);
      broken[at] = (broken[at] ?? 0) ^ (1 << seeded.integer(0, 7));
      // A bit of the header may also say that the image is encrypted, or of another layout.
      const code =
        at < headerLength ? (expect.stringMatching(/^(MALFORMED|UNSUPPORTED)$/) as unknown) : 'MALFORMED';
      await expect(openImage(cut(broken, clusterSize))).rejects.toMatchObject({ code });
    });
  });

  test('stops at the limit of its memory', async () => {
    const extents = new ExtentList();
    for (let i = 0; i < 20_000; i++) extents.push(i * 1024, 512);
    const layout = planLayout({ virtualSize: 20_000 * 1024, extents, clusterBits: 9 });
    const parts: Uint8Array[] = [];
    await writeImage(layout, [new Uint8Array(extents.bytes)], (bytes) => {
      parts.push(bytes.slice());
    });
    await expect(openImage(parts, { mapLimit: 16_384 })).rejects.toMatchObject({ code: 'TOO_FRAGMENTED' });
    await expect(openImage(parts, { mapLimit: 65_536 })).resolves.toMatchObject({ length: layout.length });
  });

  test('lets the source go when the reader stops early', async () => {
    const image = await imageOf(small);
    let released = false;
    function* source() {
      try {
        yield* cut(image, 512);
      } finally {
        released = true;
      }
    }
    const reader = await openImage(source());
    for await (const piece of reader.pieces()) {
      expect(piece.offset).toBe(0);
      break;
    }
    expect(released).toBe(true);
  });
});

describe('CompactRanges', () => {
  test('keeps ranges of any size', async () => {
    await withSeeds(200, (seeded) => {
      const ranges = new CompactRanges(1_000_000);
      const expected: { start: number; length: number }[] = [];
      let end = 0;
      for (let i = seeded.integer(0, 300); i > 0; i--) {
        const start = end + seeded.integer(0, 2 ** seeded.integer(0, 43));
        const length = seeded.integer(1, 2 ** seeded.integer(0, 43));
        ranges.push(start, length);
        const last = expected.at(-1);
        if (last !== undefined && start === last.start + last.length) last.length += length;
        else expected.push({ start, length });
        end = start + length;
      }
      expect([...ranges]).toEqual(expected);
    });
  });
});
