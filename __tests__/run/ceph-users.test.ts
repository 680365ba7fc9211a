import { writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { writeFilesystem } from '../../sandbox/ceph/images.js';
import { imageClaim } from '../../sandbox/claims.js';
import type { RunReport } from '../../lib/run/report.js';
import type { VerifyReport } from '../../lib/verify/report.js';
import { scene } from '../restore/scene.js';
import { freshNamespace } from '../support/ceph.js';
import { runCephbackup } from '../support/cephbackup.js';

const MiB = 1024 * 1024;
const here = scene();
/** As the user of one namespace by default, and as that of the other one where the list of users says so. */
let env: Record<string, string>;
let users: string;

beforeAll(async () => {
  const { current } = here;
  const { cluster } = current;
  const other = await freshNamespace();
  const may = (place: string) => {
    const [pool, namespace] = place.split('/');
    return { mon: 'profile rbd', osd: `profile rbd pool=${pool} namespace=${namespace}` };
  };
  const unique = other.split('/')[1] ?? '';
  const [first, second] = await Promise.all([
    cluster.createUser(`first-${unique}`, may(current.pool)),
    cluster.createUser(`second-${unique}`, may(other)),
  ]);
  users = current.file('users.json');
  const clusters = current.file('config.json');
  // The same monitors in another spelling: one cluster stands for two.
  const monitors = cluster.monitors.map((monitor) => `v1:${monitor}`);
  await writeFile(
    clusters,
    JSON.stringify([
      { clusterID: cluster.fsid, monitors: cluster.monitors },
      { clusterID: 'second', monitors },
      { clusterID: 'second-again', monitors },
    ]),
  );
  await writeFile(users, JSON.stringify({ second: { user: second.id, keyring: second.keyring } }));
  env = {
    ...current.env,
    CEPHBACKUP_CEPH_CLUSTERS: clusters,
    CEPHBACKUP_CEPH_USER: first.id,
    CEPHBACKUP_CEPH_KEYRING: first.keyring,
  };
  await current.blockClaim('disk', randomBytesOf(5, MiB));
  const image = `${other}/files`;
  await cluster.createImage(image, 64 * MiB);
  await writeFilesystem(cluster, image, 'ext4', (root) => writeFile(`${root}/file`, 'abc'));
  const name = { namespace: 'app', name: 'files' };
  await current.kube.seed(imageClaim({ fsid: 'second' }, name, { image, size: 64 * MiB, fsType: 'ext4' }));
});

async function command<T>(
  args: string[],
  more: Record<string, string>,
): Promise<T & { code: number | null }> {
  const { code, json } = await runCephbackup([...args, '-o', 'json'], { env: { ...env, ...more } });
  return { ...(json as T), code };
}

const outcomes = ({ volumes }: RunReport) =>
  volumes.map(({ pvc, outcome, error }) => [pvc, outcome, error?.code ?? null]).toSorted();

test('where clusters have users of their own, each is asked as its own', async () => {
  const asked = { CEPHBACKUP_CEPH_USERS: users };
  const ran = await command<RunReport>(['run'], asked);
  expect(outcomes(ran)).toEqual([
    ['disk', 'succeeded', null],
    ['files', 'succeeded', null],
  ]);
  expect(ran).toMatchObject({ code: 0, leftovers: [] });
  const drilled = await command<VerifyReport>(['verify', '--drill'], asked);
  expect(drilled.claims.map(({ pvc, drill, error }) => [pvc, drill, error]).toSorted()).toEqual([
    ['disk', 'image', null],
    ['files', 'image', null],
  ]);
  expect(await command(['cleanup'], asked)).toMatchObject({ code: 0, leftovers: [] });
  const { stdout } = await runCephbackup(['doctor', '-o', 'json'], { env: { ...env, ...asked } });
  for (const which of ['first', 'second'])
    expect(stdout).toMatch(new RegExp(`client\\.${which}-\\S+ may make snapshots and clones`));
});

test('both files may come from a pipe, which can be read only once', async () => {
  const piped = 'exec "$@" --ceph-clusters <(cat "$CEPHBACKUP_CEPH_CLUSTERS") --ceph-users <(cat "$USERS")';
  for (const name of ['run', 'cleanup', 'doctor']) {
    const { code, json, stderr } = await runCephbackup([name, '-o', 'json'], {
      env: { ...env, USERS: users },
      under: ['bash', '-c', piped, 'bash'],
    });
    expect([name, code, code === 0 ? '' : stderr]).toEqual([name, 0, '']);
    if (name === 'run')
      expect(outcomes(json as RunReport).map(([pvc, , error]) => [pvc, error])).toEqual([
        ['disk', null],
        ['files', null],
      ]);
  }
});

test('without such a list, or where the cluster is not in it, the common user is taken', async () => {
  const ran = await command<RunReport>(['run'], {});
  expect(outcomes(ran)).toEqual([
    ['disk', 'succeeded', null],
    ['files', 'failed', 'CEPH_FORBIDDEN'],
  ]);
  expect(ran.code).toBe(1);
});

test.each([
  ['[]', 'it is not a JSON object'],
  ['{', 'it is not JSON'],
  [{ third: { user: 'a', keyring: 'b' } }, '"third" is no clusterID of --ceph-clusters'],
  [{ second: { user: 'client.a', keyring: 'b' } }, '"second" has no "user", a name without "client."'],
  [{ second: { user: 'a' } }, '"second" has no "keyring", a file'],
  [{ second: null }, '"second" has no "user"'],
  [{ second: { user: 'a', keyring: 'is-not-there' } }, 'is-not-there'],
  [
    { second: { user: 'a', keyring: 'a' }, 'second-again': { user: 'b', keyring: 'b' } },
    '"second-again" has the monitors of "second" and another user or keyring',
  ],
])('%j is refused before anything is touched', async (content, message) => {
  const file = here.current.file('wrong.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  for (const name of ['run', 'cleanup', 'verify --drill']) {
    const args = [...name.split(' '), '--ceph-users', file, '-o', 'json'];
    const { code, stderr, json } = await runCephbackup(args, { env });
    expect([name, code, stderr + JSON.stringify(json)]).toEqual([name, 2, expect.stringContaining(message)]);
  }
});
