import { expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { Ceph } from '../../lib/tools/ceph/ceph.js';
import { childEnvironment } from '../../lib/tools/process/environment.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { Rbd } from '../../lib/tools/rbd/images.js';
import { RbdSweeper } from '../../lib/volumes/rbd/sweep.js';
import { ceph, freshPool } from '../support/ceph.js';

test('what is left in a pool that a volume of old names by its number alone is found, and removed', async () => {
  const [cluster, pool] = await Promise.all([ceph(), freshPool()]);
  const name = 'cephbackup-01234567-0000dead-1';
  await cluster.createImage(`${pool}/disk`, '16M');
  await cluster.rbd('snap', 'create', '--no-progress', `${pool}/disk@${name}`);
  const pools = (await cluster.json('ceph', ['osd', 'lspools'])) as { poolnum: number; poolname: string }[];
  const poolId = pools.find(({ poolname }) => poolname === pool)?.poolnum;
  const exec = createExec({ env: childEnvironment(process.env), log: silent, redactor: new Redactor() });
  const connection = { conf: cluster.conf, user: null, keyring: null, monitors: null };
  const clients = { rbd: new Rbd(exec, connection), ceph: new Ceph(exec, connection) };
  const volumes = [
    {
      namespace: 'demo',
      pvc: 'old',
      kind: 'rbd-block',
      backup: true,
      reason: 'default',
      source: { cluster: null, pool: null, radosNamespace: null, image: 'disk' },
      details: { poolId, monitors: null },
    },
  ] as unknown as PlannedVolume[];
  const sweeper = new RbdSweeper(() => clients, 'node');
  const { signal } = new AbortController();
  const audited = await sweeper.audit({ names: new Set([name]), volumes, signal });
  expect(audited.leftovers.map((left) => left.name)).toEqual([`${pool}/disk@${name}`]);
  const request = {
    installation: '01234567',
    liveRuns: new Set<string>(),
    volumes,
    everyClaim: volumes,
    thorough: false,
    nodeOnly: false,
    bases: 'keep' as const,
    dryRun: false,
    signal,
    log: silent,
  };
  // Of the members of a run, one alone removes what is in Ceph: two would be in each other's way.
  expect((await sweeper.sweep({ ...request, nodeOnly: true })).removed).toEqual([]);
  const swept = await sweeper.sweep(request);
  expect(swept).toMatchObject({ removed: [{ name: `${pool}/disk@${name}` }], leftovers: [], problems: [] });
  expect(await cluster.json('rbd', ['snap', 'ls', `${pool}/disk`])).toEqual([]);

  // Another installation's are told with their pool, images as well.
  await cluster.createImage(`${pool}/cephbackup-ffffffff-0000dead-1`, '16M');
  const again = await sweeper.sweep({ ...request, thorough: true });
  expect(again.foreign.map((one) => one.name)).toEqual([`${pool}/cephbackup-ffffffff-0000dead-1`]);
});
