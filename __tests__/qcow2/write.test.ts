import { describe, expect, test } from '@jest/globals';
import { ExtentList, planLayout, Qcow2Error, writeImage } from '../../lib/qcow2/index.js';
import { imageOf, layoutOf, sourceOf, type Disk } from './disk.js';
import { Random } from './random.js';

const mib = 1024 ** 2;
const random = new Random(2);
const disk: Disk = {
  size: 10 * mib,
  extents: [100, 300_000, 5 * mib].map((offset) => ({ offset, data: random.bytes(10_000) })),
};

describe('writeImage', () => {
  test('writes the same whatever the pieces of the source are', async () => {
    const expected = await imageOf(disk);
    expect(expected.length).toBe(layoutOf(disk).length);
    for (const chunk of [1, 7, 511, 9_999, 10_001, 30_000]) {
      const parts: Buffer[] = [];
      await writeImage(layoutOf(disk), sourceOf(disk, chunk), (bytes) => {
        parts.push(Buffer.from(bytes));
      });
      expect(Buffer.concat(parts).equals(expected)).toBe(true);
    }
  });

  test.each([
    ['nothing', 0],
    ['half', 15_000],
    ['all but a byte', 29_999],
    ['a byte too many', 30_001],
  ])('refuses a source that gives %s', async (_, length) => {
    const source = [Buffer.alloc(length)];
    const written = writeImage(layoutOf(disk), source, () => undefined);
    await expect(written).rejects.toThrow(Qcow2Error);
    await expect(written).rejects.toMatchObject({ code: 'SOURCE_MISMATCH' });
  });

  test('asks for nothing before the sink has taken what came before', async () => {
    let busy = false;
    function* watched() {
      for (const piece of sourceOf(disk, 4096)) {
        expect(busy).toBe(false);
        yield piece;
      }
    }
    await writeImage(layoutOf(disk), watched(), async () => {
      expect(busy).toBe(false);
      busy = true;
      await new Promise(setImmediate);
      busy = false;
    });
  });

  test('passes on what sink and source throw', async () => {
    const broken = new Error('pipe');
    const fail = () => {
      throw broken;
    };
    await expect(writeImage(layoutOf(disk), sourceOf(disk), fail)).rejects.toBe(broken);

    function* source(): Generator<Buffer> {
      throw broken;
    }
    await expect(writeImage(layoutOf(disk), source(), () => undefined)).rejects.toBe(broken);
  });

  test('takes a few MiB for 16 TiB in 100,000 extents', async () => {
    const extents = new ExtentList();
    for (let i = 0; i < 100_000; i++) extents.push(i * 160 * mib, 65_536);
    const layout = planLayout({ virtualSize: 16 * 1024 * 1024 * mib, extents });
    const piece = new Uint8Array(mib);
    function* source() {
      for (let left = extents.bytes; left > 0; left -= piece.length) {
        yield left < piece.length ? piece.subarray(0, left) : piece;
      }
    }
    let length = 0;
    let peak = 0;
    const before = process.memoryUsage().arrayBuffers;
    await writeImage(layout, source(), (bytes) => {
      length += bytes.length;
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    });
    expect(length).toBe(layout.length);
    expect(peak).toBeLessThan(8 * mib);
  });
});
