import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePorts } from '../../sandbox/ports.js';
import { Daemon } from '../../sandbox/process.js';
import { nginxProgram } from '../../sandbox/tools.js';
import { atEnd } from '../support/temporary.js';
import { deployedPod, describeWithHelm, find, podOf, programOf, render } from './helm.js';

const serve = {
  report: { enabled: true, volume: { accessModes: ['ReadWriteMany'] }, serve: { enabled: true } },
};

describeWithHelm('the report in the cluster', () => {
  test('is off by default', async () => {
    const names = (await render()).map(({ metadata }) => metadata.name);
    expect(names.filter((name) => /report|page/.test(name))).toEqual([]);
  });

  test('is written by an account that may only list, with the password only where the repository is looked into', async () => {
    const objects = await render({ report: { enabled: true } });
    const rules = find(objects, 'ClusterRole', 'default-cephbackup-report').rules as { verbs: string[] }[];
    expect(new Set(rules.flatMap(({ verbs }) => verbs))).toEqual(new Set(['list']));
    const { container } = programOf(objects, 'cephbackup-report');
    expect(container.args?.slice(0, 2)).toEqual(['report', '/page/index.html']);
    expect(container.envFrom).toEqual([{ secretRef: { name: 'cephbackup-repository' } }]);
    const without = await render({ report: { enabled: true, repository: false } });
    const pod = podOf(without, 'cephbackup-report');
    expect(programOf(without, 'cephbackup-report').container.envFrom).toBeUndefined();
    expect(pod.volumes.filter(({ secret, hostPath }) => secret ?? hostPath)).toEqual([]);
    expect(find(objects, 'PersistentVolumeClaim', 'cephbackup-report').metadata.annotations).toEqual({
      'cephbackup.hpc.nyu.edu/backup': 'false',
    });
  });

  test('tells of the claims that a run selects, and of what prune would keep', async () => {
    const values = {
      report: { enabled: true },
      optIn: true,
      selection: { namespaces: ['a', 'b'] },
      ceph: { clustersConfigMap: 'csi' },
      prune: { enabled: true, existingSecret: 'x' },
    };
    const { env, container } = programOf(await render(values), 'cephbackup-report');
    expect(env).toMatchObject({
      CEPHBACKUP_OPT_IN: 'true',
      CEPHBACKUP_NAMESPACE: 'a,b',
      CEPHBACKUP_CEPH_CLUSTERS: '/etc/ceph-csi/config.json',
    });
    expect(container.args).toEqual(expect.arrayContaining(['--repository', '--keep-daily=14']));
  });

  test('is served without a token, a Secret or a right, from a volume that cannot be written to', async () => {
    const objects = await render(serve);
    const pod = deployedPod(objects, 'cephbackup-page');
    expect(pod).toMatchObject({ automountServiceAccountToken: false, serviceAccountName: 'cephbackup-page' });
    expect(pod.volumes.map(({ name }) => name)).toEqual(['page', 'conf', 'tmp']);
    expect(pod.volumes[0]?.persistentVolumeClaim).toEqual({ claimName: 'cephbackup-report', readOnly: true });
    expect(pod.containers[0]).not.toHaveProperty('env');
    expect(pod.containers[0]).not.toHaveProperty('envFrom');
    const bound = objects
      .filter(({ kind }) => kind.endsWith('Binding'))
      .flatMap(({ subjects }) => (subjects as { name: string }[]).map(({ name }) => name));
    expect(bound).not.toContain('cephbackup-page');
  });

  test('is reached where a NetworkPolicy keeps everything else out', async () => {
    const objects = await render({ ...serve, networkPolicy: { enabled: true } });
    const only = { 'app.kubernetes.io/component': 'page' };
    expect(find(objects, 'NetworkPolicy').spec).toMatchObject({
      podSelector: {
        matchExpressions: [{ key: 'app.kubernetes.io/component', operator: 'NotIn', values: ['page'] }],
      },
      ingress: [],
    });
    expect(find(objects, 'NetworkPolicy', 'cephbackup-page').spec).toMatchObject({
      podSelector: { matchLabels: only },
      ingress: [{ ports: [{ port: 'http' }] }],
      egress: [],
    });
    expect(find(objects, 'Service', 'cephbackup-page').spec).toMatchObject({ selector: only });
  });
});

describeWithHelm('the server of the page, which is nginx', () => {
  let folder = '';
  let port = 0;
  let server: Daemon | undefined;

  /** The pod's own command and configuration, in a folder instead of a container. */
  beforeAll(async () => {
    // The user of the pod may not enter the folders of this test.
    folder = await mkdtemp('/tmp/cephbackup-page-');
    atEnd(() => rm(folder, { recursive: true, force: true }));
    [port = 0] = await freePorts(1);
    const objects = await render(serve);
    const here = (text: string) =>
      text
        .replaceAll(/(?<=[ >])\/(page|tmp|etc\/cephbackup)\b/g, `${folder}/$1`)
        .replaceAll('8080', String(port))
        .replaceAll('exec nginx', `exec ${folder}/nginx`);
    for (const name of ['page', 'tmp', 'etc/cephbackup'])
      await mkdir(path.join(folder, name), { recursive: true });
    const { data } = find(objects, 'ConfigMap', 'cephbackup-page') as unknown as {
      data: Record<string, string>;
    };
    for (const [name, text] of Object.entries(data))
      await writeFile(path.join(folder, 'etc/cephbackup', name), here(text));
    await chmod(folder, 0o755);
    // Not every user may enter the checkout.
    await copyFile(nginxProgram, path.join(folder, 'nginx'));
    await chown(path.join(folder, 'tmp'), 65532, 65532);
    const command = deployedPod(objects, 'cephbackup-page').containers[0]?.command ?? [];
    const user = ['--reuid=65532', '--regid=65532', '--clear-groups', '--pdeathsig=KILL'];
    const args = [...user, '--no-new-privs', '--bounding-set=-all', ...command.map(here)];
    server = new Daemon('nginx', 'setpriv', args, path.join(folder, 'log'));
    await server.until(async () => (await ask('/healthz').catch(() => null)) !== null);
  });
  afterAll(() => server?.stop());

  function ask(at: string, method = 'GET'): Promise<{ status: number; text: string; headers: object }> {
    return new Promise((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', path: at, method }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers });
        });
      });
      asked.on('error', reject).end();
    });
  }

  test('says what to do before the first page, then shows the page, and the next one', async () => {
    const none = await ask('/');
    expect(none).toMatchObject({ status: 503, headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(none.text).toContain('--from=cronjob/cephbackup-report -n default');
    for (const text of ['<!doctype html>ä', '<!doctype html>2']) {
      await writeFile(path.join(folder, 'page/index.html'), text);
      expect(await ask('/')).toMatchObject({
        status: 200,
        text,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'private, no-cache',
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
        },
      });
    }
  });

  test('has nothing else, and takes nothing', async () => {
    await writeFile(path.join(folder, 'page/.index.html.1'), 'half');
    await writeFile(path.join(folder, 'page/other'), 'other');
    for (const at of ['/other', '/.index.html.1', '/page/', '/../etc/passwd', '/%2e%2e/etc/passwd', '//etc'])
      expect((await ask(at)).status).toBeGreaterThanOrEqual(400);
    for (const method of ['PUT', 'POST', 'DELETE']) expect((await ask('/', method)).status).toBe(405);
    expect(await readFile(path.join(folder, 'page/other'), 'utf8')).toBe('other');
  });
});
