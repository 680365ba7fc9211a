import path from 'node:path';
import { expect, test } from '@jest/globals';
import type { RunReport } from '../../lib/run/report.js';
import { startCeph } from '../../sandbox/ceph.js';
import { imageClaim } from '../../sandbox/claims.js';
import { startKube } from '../../sandbox/kube/index.js';
import { waitFor } from '../../sandbox/process.js';
import { stageEnvironment } from '../../sandbox/stage.js';
import { readStatus } from '../../lib/tools/ceph/status.js';
import { healthWarnings } from '../../lib/volumes/cluster-health.js';
import { runCephbackup } from '../support/cephbackup.js';
import { freshRepository } from '../support/repository.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

const MiB = 1024 ** 2;

test('a Ceph is spared, and where it is nearly full both `run` and `doctor` say what that means', async () => {
  const folder = await temporaryFolder('cluster-health');
  // One of its own: what one warns of would be told to all tests.
  const [ceph, kube, repository] = await Promise.all([
    startCeph({ dir: path.join(folder, 'ceph'), filesystems: [] }),
    startKube({ dir: path.join(folder, 'kube'), real: false }),
    freshRepository(),
  ]);
  atEnd(async () => {
    await Promise.all([ceph.stop(), kube.stop()]);
  });
  const { cluster } = ceph;
  const names = ['disk', 'other'];
  await Promise.all(names.map((name) => cluster.createImage(`rbd/${name}`, 8 * MiB)));
  await kube.seed([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } },
    ...names.flatMap((name) =>
      imageClaim(cluster, { namespace: 'app', name }, { image: `rbd/${name}`, size: 8 * MiB, fsType: null }),
    ),
  ]);
  const env = { ...stageEnvironment(cluster, kube, repository.env), TMPDIR: folder };
  const command = async (...args: string[]) => {
    const { code, json, stderr } = await runCephbackup([...args, '-o', 'json'], { env });
    return { code, report: json as RunReport, stderr };
  };
  const paced = (await command('run', '--snapshot-interval', '4s')).report;
  expect(paced).toMatchObject({ exitCode: 0, warnings: [] });
  const [first = NaN, second = NaN] = paced.volumes.map(({ time }) => Date.parse(time ?? '')).toSorted();
  // Points in time are whole seconds.
  expect(second - first).toBeGreaterThanOrEqual(3_000);

  await cluster.ceph('osd set-nearfull-ratio 0.000001');
  await waitFor('the warning', 60_000, async () => (await cluster.ceph('status')).includes('nearfull'));

  const { code, report, stderr } = await command('run');
  const said =
    /^Ceph warns of OSD_NEARFULL: 1 nearfull osd\(s\); while a snapshot exists, what is overwritten/;
  expect({
    code,
    warnings: report.warnings.filter((text) => !text.startsWith('Ceph warns of POOL_NEARFULL')),
  }).toEqual({
    code: 0,
    warnings: [expect.stringMatching(said)],
  });
  expect(stderr).toContain('OSD_NEARFULL');
  const { checks } = (await command('doctor')).report as unknown as {
    checks: { name: string; status: string; message: string }[];
  };
  expect(checks.filter(({ name }) => name === 'ceph-health')).toContainEqual(
    expect.objectContaining({ status: 'warning', message: expect.stringContaining('OSD_NEARFULL') }),
  );
}, 300_000);

test('what an administrator has muted, and what backups do not touch, is not told', () => {
  const check = (muted: boolean) => ({ severity: 'HEALTH_WARN', summary: { message: 'm', count: 1 }, muted });
  const checks = {
    OSD_NEARFULL: check(true),
    POOL_NO_REDUNDANCY: check(false),
    MDS_TRIM: check(false),
    PG_SLOW_SNAP_TRIMMING: check(false),
  };
  const status = readStatus(JSON.stringify({ fsid: 'f', health: { status: 'HEALTH_WARN', checks } }));
  expect(healthWarnings(status).map(({ code }) => code)).toEqual(['MDS_TRIM', 'PG_SLOW_SNAP_TRIMMING']);
  for (const health of [undefined, null, [], 'HEALTH_OK', { checks: null }, { checks: { OSD_FULL: null } }])
    expect(readStatus(JSON.stringify({ fsid: 'f', health })).health).toEqual([]);
});
