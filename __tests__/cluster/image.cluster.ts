import { beforeAll, expect, test } from '@jest/globals';
import { ImageBuilder } from '../../sandbox/cluster/image.js';

const megabyte = 1_000_000;
const builder = new ImageBuilder(process.env.SANDBOX_IMAGES ?? '');
const image = `${process.env.CLUSTER_IMAGE_REPOSITORY ?? ''}:${process.env.CLUSTER_IMAGE_TAG ?? ''}`;

let sizes = { image: 0, base: 0 };
beforeAll(async () => {
  sizes = await builder.unpackedSize(image);
}, 120_000);

test('the image is at most 450 MB larger than its base', () => {
  const more = (sizes.image - sizes.base) / megabyte;
  console.log(
    `the image is ${more.toFixed(0)} MB larger than its base (${(sizes.base / megabyte).toFixed(0)} MB)`,
  );
  expect(more).toBeGreaterThan(0);
  expect(more).toBeLessThan(450);
});

test.each([
  [['cephbackup', '--version'], /^\d+\.\d+\.\d+$/m],
  [['rbd', '--version'], /^ceph version 20\.2\./m],
  [['ceph-fuse', '--version'], /^ceph version 20\.2\./m],
  [['restic', 'version'], /^restic 0\.(19|[2-9]\d)\./m],
  [['qemu-storage-daemon', '--version'], /^qemu-storage-daemon version/m],
  [['tini', '--version'], /^tini version/m],
])(
  '%j runs in it',
  async (command, expected) => {
    expect(await builder.runIn(image, command)).toMatch(expected);
  },
  60_000,
);

test('it has no compiler and no package manager of npm', async () => {
  const output = await builder.runIn(image, [
    'sh',
    '-c',
    'for p in gcc cc make npm npx yarn; do command -v $p; done; true',
  ]);
  expect(output).toBe('');
});
