import { expect, test } from '@jest/globals';
import { Bed } from '../retention/bed.js';
import { runCephbackup } from '../support/cephbackup.js';

// Whoever is content with nothing is content with a typo.
test('status, verify and prune with nothing to look at say so, and exit 1', async () => {
  const bed = await Bed.create();
  const claim = await bed.claim('shop', 'db');
  const run = async (...args: string[]) => {
    const { code, json, stdout, stderr } = await runCephbackup([...args, '-o', 'json'], {
      env: bed.environment(),
    });
    return { code, error: (json as { error?: unknown } | undefined)?.error, text: `${stdout}${stderr}` };
  };
  const nothing = { code: 1, error: { code: 'SNAPSHOT_NOT_FOUND' } };
  expect(await run('verify')).toMatchObject(nothing);
  expect(await run('prune', '--keep-last', '1')).toMatchObject(nothing);
  expect(await run('status', '--pvc', 'shop/dbb')).toMatchObject({ code: 1 });
  expect(await run('status', '--pvc', 'shop/dbb', '--max-age', '26h')).toMatchObject({ code: 1 });

  await bed.backup(claim, '2026-01-01 00:00:00');
  expect(await run('verify')).toMatchObject({ code: 0 });
  expect(await run('prune', '--keep-last', '1')).toMatchObject({ code: 0 });
  expect(await run('verify', '--cluster', 'nosuch')).toMatchObject(nothing);
  const typo = await run('prune', '--keep-last', '1', '--cluster-name', 'nosuch');
  expect(typo).toMatchObject(nothing);
  expect(typo.text).toContain(bed.cluster);
});
