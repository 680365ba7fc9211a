import { expect, test } from '@jest/globals';
import { diffIsRight } from '../../../lib/volumes/block/segments/base.js';
import { liveImages } from '../../../sandbox/incremental/lives.js';
import { seedOfRun } from '../../qcow2/random.js';
import { ceph, freshNamespace, freshPool } from '../../support/ceph.js';

test('in random lives of images, no change is missed by the ways of asking that are believed here', async () => {
  const [cluster, pool, dataPool] = await Promise.all([ceph(), freshNamespace(), freshPool()]);
  const version = (await cluster.rbd('--version')).trim();
  const seed = seedOfRun();
  let lives = 0;
  await liveImages(
    cluster,
    { pool, dataPool, seed, steps: 30, seconds: 30 },
    ({ mapped, missed, examples, traits }) => {
      lives++;
      const believed = ['listing', ...(diffIsRight(version, mapped) ? [mapped ? 'both' : 'exact'] : [])];
      for (const way of believed)
        expect([seed, traits, way, missed[way], examples[way]]).toEqual([seed, traits, way, 0, undefined]);
    },
  );
  expect(lives).toBeGreaterThan(0);
}, 300_000);
