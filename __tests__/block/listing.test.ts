import { describe, expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import { ExtentList } from '../../lib/qcow2/index.js';
import { WholeObjects } from '../../lib/volumes/block/diff.js';
import { listExtents } from '../../lib/volumes/block/listing.js';

const kib = 1024;
const mib = 1024 * kib;
const tib = 1024 * 1024 * mib;
const objectSize = 4 * mib;

type Extents = [offset: number, length: number][];

/** Lists an image whose object map and whose OSDs say this; `asked` tells who was asked. */
async function list(size: number, { map, osds }: { map: Extents; osds: Extents }, fastDiff = true) {
  const asked: string[] = [];
  const diff = (wholeObject: boolean) => {
    asked.push(wholeObject ? 'map' : 'osds');
    return Promise.resolve(ExtentList.of(wholeObject ? map : osds));
  };
  const { extents, wholeObject } = await listExtents(diff, { size, objectSize, fastDiff });
  return { extents: [...extents].map(({ start, length }) => [start, length]), wholeObject, asked };
}

/** `count` objects, `apart` bytes from each other, with `length` bytes in each. */
function objects(count: number, length: number, apart = objectSize): Extents {
  return Array.from({ length: count }, (_, i) => [i * apart, length]);
}

describe('what a snapshot contains', () => {
  test('are exact extents where whole objects would bring many zeros along', async () => {
    const extents = { map: objects(5000, objectSize, 8 * mib), osds: objects(5000, 4 * kib, 8 * mib) };
    const listed = await list(40_000 * mib, extents);
    expect(listed).toMatchObject({ wholeObject: false, extents: extents.osds });
  });

  test('are whole objects where the OSDs need not be asked again for the few zeros', async () => {
    const extents = { map: objects(1000, objectSize), osds: objects(1000, objectSize - 8 * kib) };
    const listed = await list(4000 * mib, extents);
    expect(listed).toMatchObject({ wholeObject: true, extents: [[0, 4000 * mib]] });
  });

  test('are whole objects in a huge image with little in it', async () => {
    const extents = { map: objects(500, objectSize, 8 * mib), osds: objects(500, 4 * kib, 8 * mib) };
    expect(await list(16 * tib, extents)).toMatchObject({ wholeObject: true, extents: extents.map });
  });

  test('are exact extents without a map, which then is not asked', async () => {
    const extents = { map: [], osds: objects(1, objectSize) };
    expect(await list(64 * mib, extents, false)).toMatchObject({ wholeObject: false, asked: ['osds'] });
  });

  test('is nothing in an image without any size: the map is not asked', async () => {
    expect(await list(0, { map: [], osds: [] })).toMatchObject({ extents: [], asked: ['osds'] });
  });
});

describe('too many extents to remember, which whoever listed them has rounded to objects', () => {
  const size = 40 * mib;
  const rounded = () => {
    const found = new WholeObjects({ size, objectSize });
    for (const [offset, length] of objects(3, 4 * kib, 8 * mib)) found.add(offset, length);
    return found;
  };

  test.each([true, false])(
    'are whole objects, as the export announces them (object map: %s)',
    async (fastDiff) => {
      const map = ExtentList.of(objects(4, objectSize, 8 * mib));
      const diff = (wholeObject: boolean) => Promise.resolve(wholeObject ? map : rounded());
      const listed = await listExtents(diff, { size, objectSize, fastDiff });
      expect(listed).toEqual({ extents: map, wholeObject: true });
    },
  );

  test('still show a map that denies some', async () => {
    const diff = (wholeObject: boolean) =>
      Promise.resolve(wholeObject ? ExtentList.of(objects(2, objectSize, 8 * mib)) : rounded());
    await expect(listExtents(diff, { size, objectSize, fastDiff: true })).rejects.toMatchObject({
      code: 'OBJECT_MAP_WRONG',
    });
  });
});

describe('a map that denies what the OSDs have is refused', () => {
  const whole = objects(4, objectSize, 8 * mib);
  test.each<[string, Extents, Extents]>([
    ['everything', [], [[0, 512]]],
    ['the first object', whole.slice(1), whole],
    ['one in the middle', whole.toSpliced(2, 1), whole],
    ['the last one', whole.slice(0, -1), whole],
    ['one between its objects', whole, [[4 * mib, 512]]],
    ['the end of an extent', [[0, 4 * mib]], [[4 * mib - 512, 1024]]],
  ])('%s', async (_, map, osds) => {
    // However large the image is, and however little is in it.
    for (const size of [64 * mib, 16 * tib]) {
      const listed = list(size, { map, osds });
      await expect(listed).rejects.toMatchObject({ code: 'OBJECT_MAP_WRONG' });
    }
  });
});

test('where one listing fails, the other is waited for', async () => {
  const fault = new CephbackupError('COMMAND_FAILED', 'rbd diff');
  let ended = false;
  const diff = async (wholeObject: boolean) => {
    if (wholeObject) throw fault;
    await new Promise((resolve) => setTimeout(resolve, 20));
    ended = true;
    return new ExtentList();
  };
  await expect(listExtents(diff, { size: mib, objectSize, fastDiff: true })).rejects.toBe(fault);
  expect(ended).toBe(true);
});
