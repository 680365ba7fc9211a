import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { imageClaim } from '../../sandbox/claims.js';
import { run } from '../../sandbox/process.js';
import { searchPath } from '../../sandbox/tools.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { observeWorld, type World, type WorldScope } from '../../sandbox/world.js';
import { ownName } from '../../lib/tools/process/abandoned.js';
import type { VerifyReport } from '../../lib/verify/report.js';
import { scene } from '../restore/scene.js';
import { freshGroup, freshPool } from '../support/ceph.js';
import { runCephbackup } from '../support/cephbackup.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { makeHostileTree } from '../support/tree.js';
import { expectCleanWorld } from '../support/world.js';

const MiB = 1024 * 1024;
const here = scene();
const group = freshGroup();
let scope: WorldScope;
let before: World;
let fullPool: string;

interface Drilled {
  code: number | null;
  signal: string | null;
  report: VerifyReport;
  /** `rbd …` and the like, of programs with faults. */
  calls: string[];
}

async function drill(claims: string[], faults: Fault[] = [], recorded: string[] = []): Promise<Drilled> {
  const programs = new FaultyPrograms(faults, searchPath(), recorded);
  const args = ['verify', '--drill', '-o', 'json', ...claims.map((name) => `app/${name}`)];
  const env = { ...here.current.env, PATH: programs.path };
  const { code, signal, json } = await runCephbackup(args, { env });
  return { code, signal, report: json as VerifyReport, calls: programs.calls() };
}

const claimOf = ({ report }: Drilled, name: string) => report.claims.find(({ pvc }) => pvc === name);
const images = async (): Promise<string[]> =>
  (await here.current.cluster.json('rbd', ['ls', here.current.pool])) as string[];

beforeAll(async () => {
  const { current } = here;
  const { cluster } = current;
  const tree = current.file('tree');
  await mkdir(tree);
  await makeHostileTree(tree);
  await current.filesystemClaim('ext4', 96 * MiB, 'ext4', async (root) => {
    await run('cp', ['--archive', '--sparse=always', `${tree}/.`, root]);
    for (const name of ['content', 'mode', 'missing', 'owner']) await writeFile(`${root}/${name}`, 'abc');
  });
  await current.filesystemClaim('xfs', 320 * MiB, 'xfs', (root) => writeFile(`${root}/file`, 'abc'));
  await current.blockClaim('disk', randomBytesOf(3, 3 * MiB + 1));
  await current.shareClaim('share', group, 64 * MiB, (root) => writeFile(`${root}/file`, 'abc'));
  fullPool = await freshPool();
  await writeFile(current.file('small'), randomBytesOf(4, 2 * MiB));
  await cluster.run('rbd', ['import', '--no-progress', current.file('small'), `${fullPool}/small`]);
  const small = { image: `${fullPool}/small`, size: 2 * MiB, fsType: null };
  await current.seed(...imageClaim(cluster, { namespace: 'app', name: 'small' }, small));
  await current.run();
  await cluster.ceph(`osd pool set-quota ${fullPool} max_bytes ${3 * MiB}`);
  scope = { cluster, imagePools: [current.pool, fullPool], temporary: current.folder };
  before = await observeWorld(scope);
});

test('images become scratch images in their pools, shares a folder; all are as in the backup, and nothing stays', async () => {
  const programs = ['rbd', 'e2fsck', 'xfs_repair', 'mount'];
  const answer = await drill(['ext4', 'xfs', 'disk', 'share'], [], programs);
  const drilled = answer.report.claims.map(({ pvc, outcome, drill: target, error, warnings }) => [
    ...[pvc, outcome, target, error?.message],
    ...warnings,
  ]);
  expect(drilled.toSorted()).toEqual([
    ['disk', 'verified', 'image', undefined],
    ['ext4', 'verified', 'image', undefined],
    ['share', 'verified', 'directory', undefined],
    ['xfs', 'verified', 'image', undefined],
  ]);
  expect(answer).toMatchObject({ code: 0, report: { drill: true, leftovers: [], damage: [] } });
  const name = 'cephbackup-[0-9a-f]{8}-[0-9a-f]{8}-[0-9]+-scratch';
  const calls = answer.calls.join('\n');
  expect(calls.match(new RegExp(`^rbd .*create .*${here.current.pool}/${name}$`, 'gm'))).toHaveLength(3);
  expect(calls).toMatch(/^e2fsck -f -n -- /m);
  expect(calls).toMatch(/^xfs_repair -n /m);
  expect(calls).toMatch(/^mount -t ext4 -o ro,/m);
  await expectCleanWorld(before, scope, 5_000);
});

test.each([
  ['reached nobody, and so made nothing', "rbd: couldn't connect to the cluster!", 0],
  ['may have made it', 'rbd: create error: (110) Connection timed out', 1],
])('an image whose creation %s', async (_, stderr, code) => {
  const away = { program: 'rbd', when: '*create --size*', mode: 'fail', exitCode: 110, times: 1 } as const;
  const answer = await drill(['ext4'], [{ ...away, stderr }]);
  expect(answer).toMatchObject({ code, report: { leftovers: [] } });
  await expectCleanWorld(before, scope, 5_000);
});

test('what is in the image and not in the backup is found, and a filesystem that is not sound', async () => {
  const volume = '/run/cephbackup/volume';
  const spoiled = [
    // Of the same length and time.
    `printf xyz | dd of=${volume}/content conv=notrunc status=none; touch -d @1000000000 ${volume}/content`,
    `chmod 600 ${volume}/mode; rm ${volume}/missing; chown 5:6 ${volume}/owner; touch ${volume}/besides`,
  ].join('; ');
  const restored = `restore*--verify*${volume}*`;
  const { repository } = here.current;
  const [snapshot] = await repository.snapshots('--tag', 'pvc=ext4');
  const answer = await drill(
    ['ext4', 'xfs', 'small'],
    [
      { program: 'restic', when: `${restored}${snapshot?.id ?? ''}`, mode: 'then', command: spoiled },
      { program: 'xfs_repair', when: '-n *', mode: 'fail' },
    ],
  );
  expect(answer).toMatchObject({ code: 1, report: { leftovers: [] } });
  const ext4 = claimOf(answer, 'ext4');
  expect(ext4).toMatchObject({ outcome: 'failed', drill: null, error: { code: 'RESTORE_UNVERIFIED' } });
  for (const what of [
    '/content: its content differs',
    '/missing: its content differs',
    '/besides: is not in the backup',
    '/content: was modified at another time',
    '/missing: is missing',
    '/mode: has the mode 600 instead of 644',
    '/owner: belongs to 5:6 instead of 0:0',
  ]) {
    expect(ext4?.error?.message).toContain(what);
  }
  expect(claimOf(answer, 'xfs')?.error).toMatchObject({ code: 'RESTORE_UNVERIFIED' });
  expect(claimOf(answer, 'xfs')?.error?.message).toContain('is not sound: xfs_repair');
  expect(claimOf(answer, 'small')).toMatchObject({ outcome: 'failed', error: { code: 'TARGET_FULL' } });
  await expectCleanWorld(before, scope, 5_000);
});

describe('ended in the middle', () => {
  test('SIGTERM: nothing stays', async () => {
    const answer = await drill(['ext4'], [{ program: 'restic', when: 'restore*--verify*', mode: 'term' }]);
    expect(answer).toMatchObject({ code: 143, report: { leftovers: [] } });
    await expectCleanWorld(before, scope, 5_000);
  });

  test('SIGKILL: cleanup removes the scratch image, and no image of such a name that is a clone', async () => {
    const { cluster, pool, kube, env } = here.current;
    const { signal } = await drill(['ext4'], [{ program: 'rbd', when: '*lock ls*', mode: 'kill-before' }]);
    expect(signal).toBe('SIGKILL');
    const left = (await images()).find((name) => name.endsWith('-scratch')) ?? '';
    expect(left).not.toBe('');
    // As if a minute had passed.
    await kube.request('DELETE', '/apis/coordination.k8s.io/v1/namespaces/default/leases/cephbackup');
    const clone = left.replace('-scratch', '1-scratch');
    await cluster.rbd('snap', 'create', `${pool}/disk@other`);
    await cluster.rbd('clone', '--rbd-default-clone-format', '2', `${pool}/disk@other`, `${pool}/${clone}`);
    const { code, json } = await runCephbackup(['cleanup', '-o', 'json'], { env });
    expect({ code, json }).toMatchObject({
      code: 5,
      json: {
        removed: [{ kind: 'image', name: `${pool}/${left}` }],
        leftovers: [{ kind: 'image', name: `${pool}/${clone}`, reason: expect.stringContaining('parent') }],
      },
    });
    await cluster.rbd('rm', '--no-progress', `${pool}/${clone}`);
    await cluster.rbd('snap', 'rm', '--no-progress', `${pool}/disk@other`);
    await expectCleanWorld(before, scope, 10_000);
  });
});

test('what a killed drill has restored into a folder goes with the next one', async () => {
  const [namespace = '', , start = ''] = ownName().split('-');
  const dead = spawn('true');
  await once(dead, 'close');
  const left = path.join(here.current.folder, `cephbackup-drill-${namespace}-${dead.pid ?? 0}-${start}-x`);
  const used = path.join(here.current.folder, `cephbackup-drill-${ownName()}-x`);
  for (const folder of [left, used]) await mkdir(path.join(folder, 'files'), { recursive: true });
  expect((await drill(['share'])).code).toBe(0);
  expect(existsSync(left)).toBe(false);
  expect(existsSync(used)).toBe(true);
  await rm(used, { recursive: true });
});

test('while another run is in progress no image is made', async () => {
  const { kube } = here.current;
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const spec = () => ({
    spec: { holderIdentity: 'other', renewTime: `${new Date().toISOString().slice(0, -1)}000Z` },
  });
  await kube.request('DELETE', `${leases}/cephbackup`);
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'cephbackup' } };
  await kube.request('POST', leases, { ...lease, ...spec() });
  const renewal = setInterval(() => {
    void kube.request('PATCH', `${leases}/cephbackup`, spec(), 'application/merge-patch+json');
  }, 500);
  try {
    const answer = await drill(['disk']);
    expect(answer).toMatchObject({ code: 4, report: { error: { code: 'RUN_IN_PROGRESS' } } });
  } finally {
    clearInterval(renewal);
    await kube.request('DELETE', `${leases}/cephbackup`);
  }
  await expectCleanWorld(before, scope, 5_000);
});
