import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { imageClaim, shareClaim } from '../../sandbox/claims.js';
import { observeWorld, type WorldScope } from '../../sandbox/world.js';
import type { RunReport } from '../../lib/run/report.js';
import type { VerifyReport } from '../../lib/verify/report.js';
import { scene } from '../restore/scene.js';
import { freshGroup } from '../support/ceph.js';
import { runCephbackup } from '../support/cephbackup.js';
import { expectCleanWorld } from '../support/world.js';

const MiB = 1024 * 1024;
const here = scene();
const group = freshGroup();
/** By ceph.conf no Ceph is reached: whoever does not take the monitors of --ceph-clusters fails. */
let env: Record<string, string>;
let scope: WorldScope;
let sharePath: string;

beforeAll(async () => {
  const { current } = here;
  const { cluster } = current;
  const [conf, clusters] = [current.file('ceph.conf'), current.file('config.json')];
  const text = await readFile(cluster.conf, 'utf8');
  await writeFile(conf, text.replace(/^mon_host = .*$/m, 'mon_host = 127.0.0.1:1'));
  // One address, of the older protocol, as ceph-csi's examples have them.
  const entry = { clusterID: cluster.fsid, monitors: cluster.monitors };
  const other = { clusterID: 'other', monitors: ['127.0.0.1:1'] };
  await writeFile(clusters, JSON.stringify([other, entry]));
  await mkdir(current.file('tmp'));
  env = {
    ...current.env,
    CEPH_CONF: conf,
    CEPHBACKUP_CEPH_CONF: conf,
    CEPHBACKUP_CEPH_CLUSTERS: clusters,
    TMPDIR: current.file('tmp'),
  };
  await current.filesystemClaim('files', 64 * MiB, 'ext4', (root) => writeFile(`${root}/file`, 'abc'));
  await current.blockClaim('disk', randomBytesOf(5, MiB));
  sharePath = await current.shareClaim('share', group, MiB, (root) => writeFile(`${root}/file`, 'abc'));
  const shareGroups = [{ filesystem: 'cephfs', group }];
  scope = { cluster, imagePools: [current.pool], shareGroups, temporary: env.TMPDIR ?? '' };
});

async function command<T>(...args: string[]): Promise<T & { code: number | null }> {
  const { code, json } = await runCephbackup([...args, '-o', 'json'], { env });
  return { ...(json as T), code };
}

test("--ceph-clusters: a cluster's monitors are asked, for every kind of volume, by each program", async () => {
  const before = await observeWorld(scope);
  const ran = await command<RunReport>('run');
  expect(ran.volumes.map(({ pvc, outcome, error }) => [pvc, outcome, error]).toSorted()).toEqual([
    ['disk', 'succeeded', null],
    ['files', 'succeeded', null],
    ['share', 'succeeded', null],
  ]);
  expect(ran).toMatchObject({ code: 0, leftovers: [], warnings: [] });
  const drilled = await command<VerifyReport>('verify', '--drill');
  expect(
    drilled.claims.map(({ pvc, outcome, drill, error }) => [pvc, outcome, drill, error]).toSorted(),
  ).toEqual([
    ['disk', 'verified', 'image', null],
    ['files', 'verified', 'image', null],
    ['share', 'verified', 'directory', null],
  ]);
  expect(await command('cleanup')).toMatchObject({ code: 0, warnings: [], leftovers: [] });
  await expectCleanWorld(before, scope, 5_000);
});

test('without a list, a volume of another cluster than ceph.conf’s is not looked for there', async () => {
  const { current } = here;
  const other = randomUUID();
  const elsewhere = { fsid: other };
  const volumes = [
    ...imageClaim(
      elsewhere,
      { namespace: 'other', name: 'files' },
      { image: current.image('files'), size: 64 * MiB, fsType: 'ext4' },
    ),
    ...imageClaim(
      elsewhere,
      { namespace: 'other', name: 'disk' },
      { image: current.image('disk'), size: MiB, fsType: null },
    ),
    ...shareClaim(
      elsewhere,
      { namespace: 'other', name: 'share' },
      { filesystem: 'cephfs', group, subvolume: 'share', path: sharePath, size: MiB },
    ),
  ];
  await current.kube.seed(volumes);
  const narrowed = { env: { ...current.env, CEPHBACKUP_NAMESPACE: 'other' } };
  const ran = await runCephbackup(['run', '-o', 'json'], narrowed);
  const message = `the volume is in the cluster ${other}, and ceph.conf's is ${current.cluster.fsid}`;
  expect(ran.json).toMatchObject({
    exitCode: 1,
    volumes: ['disk', 'files', 'share'].map((pvc) => ({
      pvc,
      outcome: 'failed',
      snapshot: null,
      error: { code: 'CLUSTER_MISMATCH', message },
    })),
    leftovers: [],
  });
  const doctor = await runCephbackup(['doctor', '-o', 'json'], narrowed);
  expect(doctor.stdout.split(message).length - 1).toBe(3);
});
