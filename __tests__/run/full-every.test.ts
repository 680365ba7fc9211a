import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { Scenario } from '../support/scenario.js';

test('a volume whose times are late is read completely each time', async () => {
  const scenario = await Scenario.create();
  const claim = await scenario.claim('lazy', {
    fill: (root) => writeFile(path.join(root, 'file'), Buffer.alloc(100_000, 'x')),
  });
  const bytesRead = async () => (await scenario.run()).volume(claim).bytesRead;
  await bytesRead();
  expect(await bytesRead()).toBe(0);
  const volume = `/api/v1/persistentvolumes/${claim.pv}`;
  const patch = { spec: { mountOptions: ['noatime,lazytime'] } };
  await scenario.kube.request('PATCH', volume, patch, 'application/merge-patch+json');
  expect(await bytesRead()).toBe(100_000);
});

test('once each --full-every the files of an image are read, whatever their times say', async () => {
  const scenario = await Scenario.create();
  const claim = await scenario.claim('data', {
    fill: (root) => writeFile(path.join(root, 'file'), Buffer.alloc(100_000, 'x')),
  });
  const backUp = async (...args: string[]) => {
    const run = await scenario.run({ args });
    expect(run.code).toBe(0);
    const { outcome, bytesRead } = run.volume(claim);
    return { outcome, bytesRead, told: run.stderr.includes('everything is read') };
  };
  await backUp();
  expect(await backUp('--full-every', '0s')).toEqual({ outcome: 'unchanged', bytesRead: 0, told: false });
  // Each second has a moment of the claim.
  expect(await backUp('--full-every', '1s')).toEqual({
    outcome: 'unchanged',
    bytesRead: 100_000,
    told: true,
  });
});
