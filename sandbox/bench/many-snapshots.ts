import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { runCephbackup } from '../cephbackup.js';
import { forgeSnapshots } from '../forge.js';
import { Repository } from '../repository.js';
import { atMost, median, type Bench } from './figure.js';
import { measure } from './stopwatch.js';

const claims = 200;

/** What it costs to show many snapshots, beyond restic's own list of them. */
export const manySnapshots: Bench = async ({ folder, quick, tell }) => {
  const count = quick ? 500 : 10_000;
  await mkdir(folder, { recursive: true });
  const repository = await Repository.create(path.join(folder, 'restic'));
  tell(`making ${count} snapshots`);
  const described = Array.from({ length: count }, (_, number) => {
    const claim = number % claims;
    const tags = [`cluster=c`, `namespace=n`, `pvc=claim-${claim}`, `uid=uid-${claim}`, `pv=pv-${claim}`];
    return { tags: [...tags, 'kind=cephfs'], time: new Date(1.7e12 + number * 60_000).toISOString() };
  });
  await forgeSnapshots(repository, [{ name: 'file', type: 'file', content: Buffer.from('x') }], described);
  const listed = async () => {
    const { json, stderr } = await runCephbackup(['snapshots', '-o', 'json'], { env: repository.env });
    const found = json as { claims: { snapshots: unknown[] }[] } | undefined;
    const shown = found?.claims.reduce((sum, { snapshots }) => sum + snapshots.length, 0);
    if (shown !== count) throw new Error(`${shown ?? 'no'} snapshots are listed: ${stderr}`);
  };
  const bare = () => repository.restic('snapshots', '--json');
  // The first of each fills restic's cache.
  await bare();
  await listed();
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < (quick ? 1 : 5); round += 1) {
    tell(`round ${round + 1}`);
    theirs.push((await measure(bare)).seconds);
    ours.push((await measure(listed)).seconds);
  }
  const limit = 1.5 * median(theirs);
  const formula = `1.5 × ${median(theirs).toFixed(2)}, restic snapshots --json`;
  return {
    figures: [atMost(`snapshots, ${count} of ${claims} claims`, median(ours), limit, 's', formula)],
    notes: [],
  };
};
