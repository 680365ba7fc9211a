import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { RunReport } from '../../lib/run/report.js';
import type { CephCluster } from '../../sandbox/ceph/cluster.js';
import { writeFilesystem } from '../../sandbox/ceph/images.js';
import { boundClaim } from '../../sandbox/cluster/claims.js';
import { attempt, waitFor } from '../../sandbox/process.js';
import { searchPath } from '../../sandbox/tools.js';
import { ceph } from '../support/ceph.js';
import { startCephbackup } from '../support/cephbackup.js';
import { FaultyPrograms } from '../support/faults.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';
import { create, getJson, kubectl } from './kubernetes.js';
import { imageOf } from './volumes.js';

const place = 'held';
const image = `${process.env.CLUSTER_IMAGE_REPOSITORY ?? ''}:${process.env.CLUSTER_IMAGE_TAG ?? ''}`;
const annotation = (name: string) => `cephbackup.hpc.nyu.edu/${name}`;

let cluster: CephCluster;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  cluster = await ceph();
  folder = await temporaryFolder('hooks');
  const repository = await freshRepository();
  env = {
    ...repository.env,
    TMPDIR: folder,
    KUBECONFIG: process.env.KUBECONFIG ?? '',
    CEPHBACKUP_MAPPER: 'fuse',
    CEPHBACKUP_CEPH_CONF: cluster.conf,
  };
  await kubectl('create', 'namespace', place);
}, 60_000);

/**
 * A claim with a running pod that mounts it. No driver of Ceph runs here that could mount it for the kubelet: the pod is
 * started on a folder of the node, which then becomes a volume of Ceph under the same name.
 */
async function application(name: string, hooks: Record<string, string>): Promise<void> {
  await cluster.createImage(`rbd/${name}`, '64M');
  await writeFilesystem(cluster, `rbd/${name}`, 'ext4', () => Promise.resolve());
  const [claim, volume] = boundClaim(place, name, imageOf(name));
  const at = path.join(folder, name);
  await mkdir(at);
  const { csi, ...spec } = volume.spec ?? {};
  await create([claim, { ...volume, spec: { ...spec, hostPath: { path: at } } }]);
  const annotations = Object.fromEntries(
    Object.entries(hooks).map(([key, value]) => [annotation(key), value]),
  );
  await create([
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: place, name, annotations },
      spec: {
        hostNetwork: true,
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'main',
            image,
            imagePullPolicy: 'Never',
            command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.2; done'],
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }],
      },
    },
  ]);
  await kubectl('wait', '-n', place, '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  const { metadata } = await getJson<{ metadata: { uid: string } }>('pvc', name, '-n', place);
  await kubectl('delete', 'pv', `pv-${name}`, '--wait=false');
  await kubectl('patch', 'pv', `pv-${name}`, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  const claimRef = {
    ...volume.spec?.claimRef,
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    uid: metadata.uid,
  };
  await create([{ ...volume, spec: { ...spec, csi, claimRef } }]);
  await kubectl('wait', '-n', place, '--for=jsonpath={.status.phase}=Bound', `pvc/${name}`);
}

interface Run {
  code: number | null;
  stderr: string;
  volume: RunReport['volumes'][number];
}

async function backUp(name: string, programs?: FaultyPrograms): Promise<Run> {
  const more = programs === undefined ? {} : { PATH: programs.path };
  const args = ['run', '-o', 'json', '--hooks', '--lease-namespace', place, '--pvc', `${place}/${name}`];
  const { code, stderr, stdout, json } = await startCephbackup(args, { env: { ...env, ...more } }).result;
  const [volume] = (json as RunReport | undefined)?.volumes ?? [];
  if (volume === undefined) throw new Error(`no volume: ${stdout}\n${stderr}`);
  return { code, stderr, volume };
}

/** In the pod, by kubectl. */
const inPod = (name: string, line: string) => kubectl('exec', '-n', place, name, '--', 'sh', '-c', line);
const noted = async (name: string) => (await inPod(name, 'cat /tmp/log')).split('\n').filter(Boolean);
const noting = { 'pre-snapshot': 'echo pre >>/tmp/log', 'post-snapshot': 'echo post >>/tmp/log' };

test('hooks are run in the container, argv byte by byte, and what they print is in the log', async () => {
  const odd = ['a b', '$HOME', "it's", '&command=x', 'é'];
  await application('argv', {
    'pre-snapshot': JSON.stringify(['sh', '-c', 'printf "%s\\n" pre "$@" >>/tmp/log', 'sh', ...odd]),
    'post-snapshot': 'echo post >>/tmp/log; echo to stdout; echo to stderr >&2; hostname >/dev/null',
  });
  const { code, volume, stderr } = await backUp('argv');
  expect({ code, error: volume.error }).toEqual({ code: 0, error: null });
  expect(volume.heldSeconds).toBeGreaterThan(0);
  expect(await noted('argv')).toEqual(['pre', ...odd, 'post']);
  expect(stderr).toContain('hook: to stdout');
  expect(stderr).toContain('hook: to stderr');
});

test('an exit code is told, and of much output the first and the last lines', async () => {
  await application('code', { ...noting, 'pre-snapshot': 'echo pre >>/tmp/log; seq 1 200000; exit 3' });
  const { code, volume, stderr } = await backUp('code');
  expect(code).toBe(1);
  expect(volume).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: {
      code: 'HOOK_FAILED',
      message: `the pre-snapshot hook of pod ${place}/code failed: it ended with exit code 3`,
    },
  });
  // Not the whole log where one of these fails: it is long.
  const printed = [...stderr.matchAll(/ hook: (.*?) volume=/g)].map(([, line]) => line ?? '');
  expect([printed[0], printed.at(-1)]).toEqual(['1', '200000']);
  expect(printed.filter((line) => /^\(\d+ bytes left out\)$/.test(line))).toHaveLength(1);
  expect(printed.join('\n').length).toBeLessThan(66 * 1024);
  expect(await noted('code')).toEqual(['pre', 'post']);
});

test('a program that is not there is told, and with on-error continue is a warning', async () => {
  await application('missing', { 'pre-snapshot': '["/no/such/program"]', 'hook-on-error': 'continue' });
  const { code, volume } = await backUp('missing');
  expect({ code, outcome: volume.outcome }).toEqual({ code: 0, outcome: 'succeeded' });
  expect(volume.warnings).toEqual([
    expect.stringContaining(`the pre-snapshot hook of pod ${place}/missing failed`),
  ]);
});

test('a command that does not end in time is followed by post, and may go on: that is told', async () => {
  await application('late', {
    ...noting,
    'pre-snapshot': 'echo pre >>/tmp/log; exec sleep 300',
    'hook-timeout': '2s',
  });
  const { code, volume } = await backUp('late');
  expect(code).toBe(1);
  expect(volume.error?.message).toContain('it had not ended after 2 s');
  expect(await noted('late')).toEqual(['pre', 'post']);
  // The kubelet ends nothing when its client goes away.
  const processes = await inPod('late', 'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline; echo; done');
  expect(processes.split('\n').filter((line) => line.trim() === 'sleep 300')).toHaveLength(1);
  expect(volume.error?.message).toContain('may still be running');
});

test('a pod that is killed while it is held is named', async () => {
  await application('killed', noting);
  const kubectlProgram = path.join(process.env.KUBEBUILDER_ASSETS ?? '', 'kubectl');
  const command = `${kubectlProgram} --kubeconfig ${process.env.KUBECONFIG ?? ''} delete pod -n ${place} killed --grace-period=0 --force`;
  const programs = new FaultyPrograms(
    [{ program: 'rbd', when: '*snap create*', mode: 'then', command }],
    searchPath(),
  );
  const { code, volume } = await backUp('killed', programs);
  expect(programs.hits).toBe(1);
  expect(code).toBe(1);
  expect(volume.error).toMatchObject({ code: 'HOOK_FAILED' });
  expect(volume.error?.message).toContain(`may still be held`);
  expect(volume.error?.message).toContain(`pod ${place}/killed`);
});

test('a pod that is killed in the middle of pre is told', async () => {
  await application('early', {
    ...noting,
    'pre-snapshot': 'echo pre >>/tmp/log; touch /data/begun; exec sleep 60',
  });
  const running = backUp('early');
  await waitFor(
    'pre',
    60_000,
    async () => (await attempt('ls', [path.join(folder, 'early/begun')])).code === 0,
    100,
  );
  await kubectl('delete', 'pod', '-n', place, 'early', '--grace-period=0', '--force');
  const { code, volume } = await running;
  expect(code).toBe(1);
  expect(volume.error).toMatchObject({ code: 'HOOK_FAILED' });
  expect(volume.error?.message).toContain(`pod ${place}/early`);
});

test('a container that ends while it is held is let go in the one that follows it, or named', async () => {
  await application('restarted', {
    'pre-snapshot': 'echo pre >>/data/log; kill 1',
    'post-snapshot': 'echo post >>/data/log',
  });
  const { volume } = await backUp('restarted');
  const log = await inPodOnceReady('restarted', 'cat /data/log');
  const released = log === 'pre\npost\n';
  const told =
    volume.error?.code === 'HOOK_FAILED' && volume.error.message.includes(`pod ${place}/restarted`);
  expect({ log, told }).toEqual(released ? { log, told } : { log: 'pre\n', told: true });
});

async function inPodOnceReady(name: string, line: string): Promise<string> {
  await kubectl('wait', '-n', place, '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  return inPod(name, line);
}
