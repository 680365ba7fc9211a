import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectKube } from '../../lib/kube/client.js';
import { jobsWithoutPod } from '../../lib/kube/stuck-jobs.js';
import { silent } from '../../lib/log/logger.js';
import { startKube, type SandboxKube } from '../../sandbox/kube/index.js';
import { runCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';

const violation = 'pods "nightly-x" is forbidden: violates PodSecurity "baseline:latest": privileged';

/** No controller runs beside this API: what is made here gets no pod. */
describe.each([{ real: true }, { real: false }])('Jobs without a pod, $real API', ({ real }) => {
  if (real && (process.env.KUBEBUILDER_ASSETS ?? '') === '') {
    test.todo('set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver');
    return;
  }
  let kube: SandboxKube;
  beforeAll(async () => {
    kube = await startKube({ dir: await temporaryFolder('jobs'), real });
    await kube.seed([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }]);
  });
  afterAll(() => kube.stop());

  async function job(name: string, labels: Record<string, string>): Promise<string> {
    const spec = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] };
    const { body } = await kube.request('POST', '/apis/batch/v1/namespaces/default/jobs', {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, labels },
      spec: { template: { spec } },
    });
    return (body as { metadata: { uid: string } }).metadata.uid;
  }

  const look = async (aheadMs = 0) => {
    const signal = new AbortController().signal;
    const api = await connectKube({ kubeconfig: kube.kubeconfig, env: process.env, log: silent, signal });
    return jobsWithoutPod(api, Date.now() + aheadMs);
  };

  if (!real) {
    test('are not looked for where the API does not let us', async () => {
      expect(await look()).toBeNull();
    });
    return;
  }

  test('are named with what refused it; others’ Jobs, and those that were made just now, are not', async () => {
    const chart = { 'helm.sh/chart': 'cephbackup-0.1.0', 'app.kubernetes.io/component': 'backup' };
    const uid = await job('nightly', chart);
    await job('just-made', chart);
    await job('another', { ...chart, 'helm.sh/chart': 'postgresql-1' });
    await job('unlabelled', {});
    await kube.request('POST', '/api/v1/namespaces/default/events', {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'nightly.1' },
      involvedObject: { apiVersion: 'batch/v1', kind: 'Job', namespace: 'default', name: 'nightly', uid },
      reason: 'FailedCreate',
      message: violation,
      type: 'Warning',
      lastTimestamp: new Date().toISOString(),
    });
    const named = `the Job default/nightly has no pod: ${violation}`;
    expect(await look()).toEqual([named]);
    expect(await look(600_000)).toEqual(['the Job default/just-made has no pod: no event says why', named]);
    const { PATH = '', HOME = '' } = process.env;
    const status = await runCephbackup(['status', '-o', 'json'], {
      env: { PATH, HOME, KUBECONFIG: kube.kubeconfig },
    });
    expect(status.json).toMatchObject({ warnings: [named] });
    expect(status.stderr).toContain('violates PodSecurity');
  });
});
