import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { CephCluster } from '../../sandbox/ceph.js';
import { expectEqual } from '../qcow2/disk.js';
import { Random, withSeeds } from '../qcow2/random.js';
import { ceph, freshNamespace, freshPool } from '../support/ceph.js';
import { temporaryFolder } from '../support/temporary.js';
import { prepare } from '../../sandbox/prepared-image.js';
import { fill, produce, qemuIo } from './block-volume.js';

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;
const random = new Random(4);

let cluster: CephCluster;
let pool: string;
let folder: string;

beforeAll(async () => {
  cluster = await ceph();
  pool = await freshNamespace();
  folder = await temporaryFolder('block');
});

/** Backs the image up and compares the result with what `rbd export` reads of the snapshot. */
async function check(
  image: string,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const own = path.join(folder, image.replaceAll('/', '-'));
  mkdirSync(own);
  const prepared = await prepare(cluster, image);
  try {
    await meanwhile();
    const file = await produce(prepared, own);
    const snapshot = `${image}@${prepared.name}`;
    const { size } = (await cluster.json('rbd', ['info', snapshot])) as { size: number };
    if (size > 1024 * mib) {
      // An export would write all of its zeros.
      expectEqual(`rbd:${snapshot}:conf=${cluster.conf}`, file);
    } else {
      const raw = path.join(own, 'disk.raw');
      await cluster.rbd('export', '--no-progress', snapshot, raw);
      expectEqual(raw, file);
    }
    return prepared.source.length;
  } finally {
    expect(await prepared.scope.release()).toEqual([]);
  }
}

describe('the image equals the snapshot', () => {
  test('of an empty image', async () => {
    await cluster.createImage(`${pool}/empty`, '10G');
    await check(`${pool}/empty`);
  });

  test('of an image without any size', async () => {
    await cluster.createImage(`${pool}/nothing`, 0);
    await check(`${pool}/nothing`);
  });

  test.each([512, 4 * mib - 512, 4 * mib, 4 * mib + 512, 1_000_001, 20 * mib + 1])(
    'of %d bytes',
    async (bytes) => {
      const image = `${pool}/size-${bytes}`;
      await cluster.createImage(image, bytes);
      fill(cluster, image, bytes, [
        { offset: Math.max(0, bytes - 700), data: random.bytes(Math.min(700, bytes)) },
      ]);
      await check(image);
    },
  );

  test('of random data all over', async () => {
    await cluster.createImage(`${pool}/full`, 12 * mib);
    fill(cluster, `${pool}/full`, 12 * mib, [{ offset: 0, data: random.bytes(12 * mib) }]);
    const length = await check(`${pool}/full`);
    expect(length / (12 * mib)).toBeLessThan(1.06);
  });

  test('of the first and the last sector', async () => {
    await cluster.createImage(`${pool}/ends`, 20 * gib);
    qemuIo(cluster, `${pool}/ends`, 'write -P 1 0 512', `write -P 2 ${20 * gib - 512} 512`);
    await check(`${pool}/ends`);
  });

  test('of every other cluster, and of scattered extents', async () => {
    const clusters = [...Array(64).keys()].map((i) => ({
      offset: i * 128 * kib,
      data: random.bytes(64 * kib),
    }));
    const scattered = [...Array(200).keys()].map((i) => ({
      offset: (i + 1) * 100 * mib + i * 512,
      data: random.bytes(512 * (i % 9) + 512),
    }));
    await cluster.createImage(`${pool}/scattered`, 20 * gib);
    fill(cluster, `${pool}/scattered`, 20 * gib, [...clusters, ...scattered]);
    await check(`${pool}/scattered`);
  });

  test('of discards and zeros written', async () => {
    const image = `${pool}/discards`;
    await cluster.createImage(image, '64M');
    const writes = ['write -P 1 0 24M', 'write -P 2 40M 8M', 'write -P 0 56M 4M'];
    const removals = [
      'discard 1M 64k',
      'discard 8M 4M',
      'write -z 13M 1M',
      'write -z -u 16M 4M',
      'discard 43M 1M',
    ];
    qemuIo(cluster, image, ...writes, ...removals);
    await check(image);
  });

  test.each([
    ['a clone of a protected parent', []],
    ['a clone of format 2', ['--rbd-default-clone-format', '2']],
    ['a clone without object map', ['--image-feature', 'layering']],
  ])('of %s', async (name, options) => {
    const parent = `${pool}/parent-of-${name.replaceAll(' ', '-')}`;
    const image = `${pool}/${name.replaceAll(' ', '-')}`;
    await cluster.createImage(parent, '41M');
    qemuIo(
      cluster,
      parent,
      'write -P 1 0 4M',
      'write -P 1 5M 64k',
      'write -P 1 12M 4M',
      'write -P 1 20M 4M',
      'write -P 1 40M 512k',
    );
    await cluster.rbd('snap', 'create', '--no-progress', `${parent}@p`);
    await cluster.rbd('snap', 'protect', `${parent}@p`);
    await cluster.rbd('clone', ...options, `${parent}@p`, image);
    qemuIo(cluster, image, 'write -P 2 1M 4k', 'discard 12M 4M', 'write -P 3 30M 4k', 'write -z 20M 1M');
    await check(image);
    if (options.length > 0) return;
    // Beyond the overlap with the parent, and after the overlap has shrunk.
    await cluster.rbd('resize', '--no-progress', '--size', '60M', image);
    qemuIo(cluster, image, 'write -P 4 59M 1M');
    await cluster.rbd('rename', image, `${image}-grown`);
    await check(`${image}-grown`);
    await cluster.rbd('resize', '--no-progress', '--allow-shrink', '--size', '22M', `${image}-grown`);
    await cluster.rbd('resize', '--no-progress', '--size', '41M', `${image}-grown`);
    await cluster.rbd('rename', `${image}-grown`, `${image}-shrunk`);
    await check(`${image}-shrunk`);
  });

  test.each([
    ['objects-of-1M', ['--object-size', '1M']],
    ['objects-of-32M', ['--object-size', '32M']],
    ['objects-of-64K', ['--object-size', '64K']],
    ['stripes', ['--object-size', '1M', '--stripe-unit', '64K', '--stripe-count', '4']],
    ['no-object-map', ['--image-feature', 'layering', '--image-feature', 'exclusive-lock']],
    ['no-features', ['--image-feature', 'layering']],
    ['journal', ['--image-feature', 'exclusive-lock', '--image-feature', 'journaling']],
  ])('of %s', async (name, options) => {
    const image = `${pool}/${name}`;
    await cluster.createImage(image, '100M', options);
    qemuIo(
      cluster,
      image,
      'write -P 1 0 200k',
      'write -P 2 5M 64k',
      'write -P 3 12M 9M',
      'write -P 0 30M 1M',
      'write -P 4 99M 1M',
      'discard 14M 1M',
    );
    await check(image);
  });

  test('with a data pool of its own, outside of any namespace', async () => {
    const dataPool = await freshPool();
    await cluster.createImage('rbd/with-data-pool', '20M', ['--data-pool', dataPool]);
    try {
      qemuIo(cluster, 'rbd/with-data-pool', 'write -P 1 5M 3M');
      await check('rbd/with-data-pool');
    } finally {
      await cluster.rbd('rm', '--no-progress', 'rbd/with-data-pool');
    }
  });

  test('whose object map is older than its data', async () => {
    const image = `${pool}/late-map`;
    await cluster.createImage(image, '40M', [
      '--image-feature',
      'layering',
      '--image-feature',
      'exclusive-lock',
    ]);
    qemuIo(cluster, image, 'write -P 1 5M 4M');
    await cluster.rbd('feature', 'enable', image, 'object-map', 'fast-diff');
    await check(image);
  });

  test('taken before it was resized, overwritten and shrunk', async () => {
    const image = `${pool}/resized`;
    await cluster.createImage(image, '30M');
    qemuIo(cluster, image, 'write -P 1 0 10M', 'write -P 2 25M 5M');
    await check(image, async () => {
      await cluster.rbd('resize', '--no-progress', '--size', '50M', image);
      qemuIo(cluster, image, 'write -P 9 0 50M', 'discard 0 10M');
      await cluster.rbd('resize', '--no-progress', '--allow-shrink', '--size', '6M', image);
    });
  });

  test('of generated images', async () => {
    await withSeeds(4, async (seeded) => {
      const image = `${pool}/generated-${seeded.seed}`;
      const bytes = seeded.integer(1, 200 * mib);
      const objectSize = seeded.pick(['64K', '1M', '4M', '32M']);
      await cluster.createImage(image, bytes, ['--object-size', objectSize]);
      for (let round = seeded.integer(1, 3); round > 0; round--) {
        fill(cluster, image, bytes, extents(seeded, bytes));
        if (seeded.next() < 0.5) await cluster.rbd('snap', 'create', '--no-progress', `${image}@s${round}`);
      }
      await check(image);
    });
  });
});

function extents(seeded: Random, bytes: number): { offset: number; data: Buffer }[] {
  const found: { offset: number; data: Buffer }[] = [];
  let at = 0;
  for (let i = seeded.integer(1, 30); i > 0 && at < bytes; i--) {
    const offset = at + seeded.integer(0, Math.floor((bytes - at) / seeded.pick([1, 10, 100])));
    const length = Math.min(bytes - offset, seeded.integer(1, 2 ** seeded.integer(0, 22)));
    if (length <= 0) break;
    found.push({ offset, data: seeded.next() < 0.3 ? Buffer.alloc(length) : seeded.bytes(length) });
    at = offset + length;
  }
  return found;
}

describe('an image that cannot be backed up', () => {
  test('is the source or the target of a migration', async () => {
    const name = pool.replace('/', '-');
    await cluster.createImage(`rbd/${name}`, '20M');
    await cluster.rbd('migration', 'prepare', `rbd/${name}`, `rbd/${name}-new`);
    try {
      await expect(prepare(cluster, `rbd/${name}`)).rejects.toMatchObject({ code: 'IMAGE_MIGRATING' });
      await expect(prepare(cluster, `rbd/${name}-new`)).rejects.toMatchObject({ code: 'IMAGE_MIGRATING' });
    } finally {
      await cluster.rbd('migration', 'abort', '--no-progress', `rbd/${name}-new`);
      await cluster.rbd('rm', '--no-progress', `rbd/${name}`);
    }
  });

  test('is not the primary of its mirroring', async () => {
    const mirrored = await freshPool();
    await cluster.rbd('mirror', 'pool', 'enable', mirrored, 'image');
    const image = `${mirrored}/copy`;
    await cluster.createImage(image, '20M', [
      '--image-feature',
      'exclusive-lock',
      '--image-feature',
      'journaling',
    ]);
    await cluster.rbd('mirror', 'image', 'enable', image, 'snapshot');
    await check(image);
    await cluster.rbd('mirror', 'image', 'demote', image);
    await expect(prepare(cluster, image)).rejects.toMatchObject({ code: 'IMAGE_NOT_PRIMARY' });
  });

  test('does not exist', async () => {
    await expect(prepare(cluster, `${pool}/nowhere`)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  test('has an object map that denies an object', async () => {
    const image = `${pool}/lying-map`;
    await cluster.createImage(image, '20M');
    const { id } = (await cluster.json('rbd', ['info', image])) as { id: string };
    const [name = '', namespace = ''] = pool.split('/');
    const object = `rbd_data.${id}.0000000000000003`;
    await cluster.run('rados', ['-p', name, '-N', namespace, 'put', object, '-'], { input: 'data' });
    await expect(prepare(cluster, image)).rejects.toMatchObject({ code: 'OBJECT_MAP_WRONG' });
    await cluster.rbd('object-map', 'rebuild', '--no-progress', image);
    await check(image);
  });
});
