import { closeSync, openSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { watch } from '../../sandbox/bench/memory.js';
import type { CephCluster } from '../../sandbox/ceph.js';
import { prepare } from '../../sandbox/prepared-image.js';
import { simulateImage } from '../../sandbox/simulated-image.js';
import { searchPath } from '../../sandbox/tools.js';
import { ceph, freshNamespace } from '../support/ceph.js';
import { temporaryFolder } from '../support/temporary.js';
import { startProducer } from './block-volume.js';

const kib = 1024;
const mib = 1024 * kib;
const tib = 1024 * 1024 * mib;

let cluster: CephCluster;
let pool: string;

beforeAll(async () => {
  cluster = await ceph();
  pool = await freshNamespace();
});

test.each([
  { name: '1 MiB', size: mib, extents: 1 },
  { name: '16 TiB in 100,000 extents', size: 16 * tib, extents: 100_000 },
])('the producer takes less than 120 MB for $name', async ({ size, extents }) => {
  const image = `${pool}/of-${size}`;
  // Without an object map: one listing, and that is simulated.
  await cluster.createImage(image, size, ['--image-feature', 'layering']);
  const folder = await temporaryFolder('memory');
  const simulated = simulateImage(folder, { image, size, extents, extentSize: 4 * kib });
  const programs = `${simulated}:${searchPath()}`;
  const { source, scope } = await prepare(cluster, image, { searchPath: programs });
  const nowhere = openSync('/dev/null', 'w');
  const { child, ended } = startProducer(source, nowhere, { searchPath: programs });
  closeSync(nowhere);
  let peak = 0;
  const result = await watch({ pid: child.pid ?? 0, result: ended }, 10, (memory) => {
    peak = Math.max(peak, memory.peak);
  });
  expect(result).toMatchObject({ code: 0 });
  expect(source.length).toBeGreaterThan(extents * 4 * kib);
  expect(peak).toBeGreaterThan(20);
  expect(peak).toBeLessThan(120);
  expect(await scope.release()).toEqual([]);
});
