import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { saveManifests, type Manifests } from '../../lib/repository/manifests.js';
import { findManifest, nearestFirst, readManifests } from '../../lib/repository/saved-manifests.js';
import { childEnvironment } from '../../lib/tools/process/environment.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { Restic } from '../../lib/tools/restic/restic.js';
import { freshRepository } from '../support/repository.js';

test('the manifests of the run that made a backup come first, also where runs follow each other at once', () => {
  const saved = [0, 8_000, 10_000, 11_000, 90_000].map((time) => ({ id: `at-${time}`, time, cluster: 'c' }));
  const order = (time: number) => nearestFirst(saved, time).map((one) => one.time);
  // Saved at 8 s, and once more at 10 s for an image that was resized; the next run began a second later.
  expect(order(10_000)).toEqual([10_000, 8_000, 0, 11_000, 90_000]);
  // A run that saved none: those before tell more than those after.
  expect(order(80_000)).toEqual([11_000, 10_000, 8_000, 0, 90_000]);
  expect(order(-5_000)).toEqual([0, 8_000, 10_000, 11_000, 90_000]);
});

describe('the search for a claim', () => {
  /** A repository of manifests: a run's name for each, and whether it tells of the claim. */
  const repository = (runs: { run: string; knows: boolean }[]) => {
    const read: string[] = [];
    const restic = {
      dump: async (id: string, _: string, consume: (chunks: AsyncIterable<Uint8Array>) => Promise<void>) => {
        read.push(id);
        const { run, knows } = runs[Number(id)] ?? { run: '', knows: false };
        const text = JSON.stringify({ version: 1, run, claims: knows ? [{ uid: 'u' }] : [] });
        await consume(Readable.from([Buffer.from(text)]));
      },
    } as unknown as Restic;
    const ordered = runs.map((_, index) => ({ id: String(index), time: -index, cluster: 'c' }));
    const search = () =>
      findManifest(restic, ordered, ({ uid }) => uid === 'u', new AbortController().signal);
    return { read, search };
  };

  test('goes through all shards of a run, however many there are', async () => {
    const shards = Array.from({ length: 100 }, (_, index) => ({ run: 'run', knows: index === 99 }));
    expect((await repository(shards).search())?.saved.id).toBe('99');
  });

  test('ends after twenty runs, and reads one where the first one tells', async () => {
    const runs = (at: number) =>
      Array.from({ length: 60 }, (_, index) => ({ run: `run-${index}`, knows: index === at }));
    expect((await repository(runs(19)).search())?.saved.id).toBe('19');
    expect(await repository(runs(20)).search()).toBeNull();
    const first = repository(runs(0));
    expect((await first.search())?.saved.id).toBe('0');
    expect(first.read).toEqual(['0']);
    expect(await repository([]).search()).toBeNull();
  });
});

test('those of thousands of claims come back as they were saved', async () => {
  const repository = await freshRepository();
  const env = childEnvironment({ ...process.env, ...repository.env });
  const exec = createExec({ env, log: silent, redactor: new Redactor() });
  const restic = new Restic(exec, { ...env, ...repository.env }, { upload: null, download: null });
  const claims = Array.from({ length: 4000 }, (_, index) => ({
    uid: `uid-${index}`,
    note: `${index}:`.repeat(200),
  }));
  const manifests = { version: 1, cluster: 'c', run: 'r', claims } as unknown as Manifests;
  const { signal } = new AbortController();
  const id = await saveManifests(restic, manifests, Date.now(), signal);
  expect(await readManifests(restic, id, signal)).toEqual(manifests);
});
