import path from 'node:path';
import { startCeph } from './ceph.js';
import { liveImages } from './incremental/lives.js';
import { own } from './owner.js';

/** `npm run test:incremental [-- SEED [STEPS]]`: which ways of asking this Ceph for changes miss some. */
const [seed = Math.floor(Math.random() * 1e6), steps = 3000] = process.argv.slice(2).map(Number);

interface Row {
  asked: number;
  missed: number;
  example: string;
}

await own(async ({ folder }) => {
  const { cluster, ...ceph } = await startCeph({ dir: path.join(folder, 'ceph'), filesystems: [] });
  const rows = new Map<string, Row>();
  let lives = 0;
  console.log(`${(await cluster.rbd('--version')).trim()}; seed ${seed}, ${steps} steps`);
  const dataPool = 'data';
  await cluster.createPool(dataPool);
  await liveImages(cluster, { pool: 'rbd', dataPool, seed, steps, seconds: 24 * 60 * 60 }, (life) => {
    lives++;
    if (lives % 10 === 0) console.error(`${lives} lives`);
    for (const [way, count] of Object.entries(life.counts)) {
      const name = `${way}, ${life.mapped ? 'with' : 'without'} object map`;
      const { asked, missed, example } = rows.get(name) ?? { asked: 0, missed: 0, example: '' };
      const found = life.examples[way];
      rows.set(name, {
        asked: asked + count,
        missed: missed + (life.missed[way] ?? 0),
        example: example === '' && found !== undefined ? `${found} (${life.traits.join(', ')})` : example,
      });
    }
  });
  await ceph.stop();
  for (const [name, { asked, missed, example }] of [...rows].sort())
    if (asked > 0)
      console.log(`${name}: ${missed} of ${asked} missed a change${example && `, e.g. ${example}`}`);
  return 0;
});
