import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chart } from '../../sandbox/chart/readme.js';
import { startKube, type SandboxKube } from '../../sandbox/kube/index.js';
import { attempt, type RunResult } from '../../sandbox/process.js';
import { flips, withValue } from './flips.js';
import {
  deployedPod,
  describeWithHelm,
  helm,
  jobOf,
  kubectl,
  render,
  template,
  type Rendered,
  type Values,
} from './helm.js';

const ceph = ['rook', 'csi', 'csi-operator', 'odf', 'external'];
const repositories = ['local', 's3', 'rest-server'];
const combinations = ceph.flatMap((from) => repositories.map((to) => [from, to] as const));

describeWithHelm('a real kube-apiserver', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'cephbackup-chart-'));
  let kube: SandboxKube | undefined;
  beforeAll(async () => {
    kube = await startKube({ dir, real: true });
    const level = (enforce: string) => ({ 'pod-security.kubernetes.io/enforce': enforce });
    const namespaces = { strict: level('restricted'), labelled: level('privileged'), unlabelled: {} };
    for (const [name, labels] of Object.entries(namespaces)) {
      await kube.seed([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
    }
    // As a controller, which does not run here, would make them.
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
    await kube.request('POST', '/api/v1/namespaces/strict/serviceaccounts', account);
  });
  afterAll(async () => {
    await kube?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Lets the server judge every object; unknown fields are mistakes. */
  async function judge(name: string, texts: readonly string[]): Promise<RunResult> {
    const folder = path.join(dir, name);
    mkdirSync(folder);
    // Most values change one object of many.
    const objects = new Set(texts.flatMap((text) => text.split(/^---$/m)));
    [...objects].forEach((text, index) => {
      writeFileSync(path.join(folder, `${index}.yaml`), text);
    });
    const options = ['--server-side', '--dry-run=server', '--validate=strict', '--force-conflicts'];
    return attempt(
      kubectl,
      ['--kubeconfig', kube?.kubeconfig ?? '', 'apply', ...options, '--filename', folder],
      // kubectl keeps what it has learned of the server below HOME.
      { timeout: 120_000, env: { HOME: dir } },
    );
  }

  test.each(combinations)('takes the example of Ceph by %s with a repository by %s', async (from, to) => {
    const files = [`${chart}/examples/ceph-${from}.yaml`, `${chart}/examples/repository-${to}.yaml`];
    const { stdout } = await template({}, { files });
    const { code, stderr } = await judge(`${from}-${to}`, [stdout]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('takes what each value makes of the chart', async () => {
    const texts: string[] = [];
    for (const [at, { to, with: also = {} }] of Object.entries(flips)) {
      const { stdout } = await template(withValue(also, at, to));
      // Of Prometheus' operator this server knows nothing, and it has no namespace of Grafana's.
      texts.push(
        ...stdout
          .split(/^---$/m)
          .filter((text) => !/^kind: PrometheusRule$|^ +namespace: "grafana"$/m.test(text)),
      );
    }
    const { code, stdout, stderr } = await judge('flips', texts);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    // It did look at one CronJob for nearly every value.
    expect(stdout.match(/^cronjob/gm)?.length ?? 0).toBeGreaterThan(60);
  });

  test('takes a Job that is made by hand from each CronJob, whatever the values are', async () => {
    const specs = new Set<string>();
    for (const [at, { to, with: also = {} }] of Object.entries(flips)) {
      for (const { kind, spec } of await render(withValue(also, at, to))) {
        // As `kubectl create job --from` does it.
        if (kind === 'CronJob') specs.add(JSON.stringify((spec as { jobTemplate: object }).jobTemplate));
      }
    }
    const metadata = { annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' } };
    const jobs = [...specs].map((text, index) => {
      const template = JSON.parse(text) as Rendered;
      const merged = { ...template.metadata, ...metadata, name: `by-hand-${index}` };
      return JSON.stringify({ ...template, apiVersion: 'batch/v1', kind: 'Job', metadata: merged });
    });
    const { code, stderr } = await judge('by-hand', jobs);
    expect([code, stderr]).toEqual([0, '']);
    expect(jobs.length).toBeGreaterThan(100);
  });

  test.each(['1', 'a'.repeat(53), '9'.repeat(53)])('takes a release of the name %s', async (release) => {
    const { stdout } = await template(
      { ...others, restore: { enabled: true }, networkPolicy: { enabled: true }, openshift: { scc: true } },
      { release },
    );
    const { code, stderr } = await judge(`release-${release}`, [stdout]);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('refuses a field that does not exist', async () => {
    const { stdout } = await template();
    const { code, stderr } = await judge('typo', [stdout.replace('restartPolicy:', 'restartPolitics:')]);
    expect(stderr).toContain('restartPolitics');
    expect(code).not.toBe(0);
  });

  const onlyBlock = { kinds: { rbdFilesystem: false, cephfs: false } };
  const plugin = { mapper: 'fuse', cephfsClient: 'fuse', fuse: { deviceResource: 'example.com/fuse' } };
  const page = { enabled: true, volume: { accessModes: ['ReadWriteMany'] }, serve: { enabled: true } };
  const others = {
    verify: { enabled: true },
    prune: { enabled: true, existingSecret: 'pruner' },
    report: page,
  };
  const refusedBy: [string, Values, string[]][] = [
    // Mounts need the standard `privileged`, however they are made; all others pass everywhere.
    ['the defaults', {}, ['cephbackup']],
    ['a device plugin', plugin, ['cephbackup']],
    ['block volumes only', onlyBlock, []],
  ];

  test.each(refusedBy)('the standard `restricted`: %s', async (_, values, expected) => {
    const objects = await render({ ...values, ...others, byHand: { enabled: false } });
    const jobs = ['cephbackup', 'cephbackup-verify', 'cephbackup-prune', 'cephbackup-report'];
    const pods = [
      ...jobs.map((name) => [name, jobOf(objects, name).template.spec] as const),
      ['cephbackup-page', deployedPod(objects, 'cephbackup-page')] as const,
    ];
    const refused: string[] = [];
    for (const [name, pod] of pods) await judgePod(name, { ...pod, serviceAccountName: 'default' }, refused);
    expect(refused).toEqual(expected);
  });

  async function judgePod(name: string, spec: object, refused: string[]): Promise<void> {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'strict' }, spec };
    const answer = await kube?.request('POST', '/api/v1/namespaces/strict/pods?dryRun=All', pod);
    const { message = '' } = (answer?.body ?? {}) as { message?: string };
    if (answer?.status === 403 && message.includes('violates PodSecurity')) refused.push(name);
    else expect([name, answer?.status, message]).toEqual([name, 201, '']);
  }

  /** What `helm install` says at its end, in this namespace. */
  async function notes(namespace: string, ...set: string[]): Promise<string> {
    const options = ['--namespace', namespace, '--kubeconfig', kube?.kubeconfig ?? '', '--dry-run=server'];
    const { code, stdout, stderr } = await attempt(
      helm,
      ['install', 'cephbackup', chart, ...options, ...set.flatMap((value) => ['--set', value])],
      { env: { HOME: dir } },
    );
    expect([code, stderr]).toEqual([0, '']);
    return stdout.slice(stdout.indexOf('NOTES:'));
  }

  test('the notes of an installation say where no Job would get a pod, and how it would', async () => {
    const cure = (namespace: string) =>
      `kubectl label namespace ${namespace} --overwrite pod-security.kubernetes.io/enforce=privileged`;
    const strict = await notes('strict');
    expect(strict).toContain('WARNING: the namespace strict admits pods of the standard "restricted" only');
    expect(strict).toContain(cure('strict'));
    expect(await notes('unlabelled')).toContain(cure('unlabelled'));
    expect(await notes('labelled')).not.toContain('pod-security');
    expect(await notes('strict', 'kinds.rbdFilesystem=false', 'kinds.cephfs=false')).not.toContain(
      'pod-security',
    );
  });
});
