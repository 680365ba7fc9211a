import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { boundClaim } from '../../sandbox/cluster/claims.js';
import { writeKubeconfig } from '../../sandbox/kube/kubeconfig.js';
import { startKube, type SandboxKube } from '../../sandbox/kube/index.js';
import { run as runProgram } from '../../sandbox/process.js';
import type { Repository } from '../../sandbox/repository.js';
import { ceph, freshNamespace } from '../support/ceph.js';
import { runCephbackup, type CephbackupResult } from '../support/cephbackup.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWithHelm, kubectl, template } from './helm.js';

const installed = 'backup';
const volume = '/api/v1/persistentvolumes/pv-data';
const roles = '/apis/rbac.authorization.k8s.io/v1';
const mergePatch = 'application/merge-patch+json';

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

interface Missing {
  resource: string;
  verb: string;
  exitCode: number;
  /** In what the run says on stderr; null where a run does not use this right. */
  says: RegExp | null;
}

const forbidden = (what: string): Pick<Missing, 'exitCode' | 'says'> => ({
  exitCode: 3,
  says: new RegExp(`not allowed to ${what}`),
});
const warned = (what: string): Pick<Missing, 'exitCode' | 'says'> => ({
  exitCode: 0,
  says: new RegExp(`not allowed to ${what}`),
});
/** For other commands, or for what a later version does with the same role. */
const unused = { exitCode: 0, says: null };

const table: Missing[] = [
  { resource: 'namespaces', verb: 'list', ...forbidden('list namespaces') },
  { resource: 'persistentvolumes', verb: 'list', ...forbidden('list persistentvolumes') },
  { resource: 'persistentvolumes', verb: 'get', ...forbidden('get persistentvolumes') },
  { resource: 'persistentvolumes', verb: 'patch', ...forbidden('patch persistentvolumes') },
  { resource: 'persistentvolumeclaims', verb: 'list', ...forbidden('list persistentvolumeclaims') },
  { resource: 'persistentvolumeclaims', verb: 'get', ...unused },
  { resource: 'storageclasses', verb: 'list', ...warned('list storageclasses') },
  { resource: 'events', verb: 'create', ...warned('create events') },
  { resource: 'events', verb: 'patch', ...unused },
  { resource: 'leases', verb: 'get', ...forbidden('get leases') },
  { resource: 'leases', verb: 'create', ...forbidden('create leases') },
  { resource: 'leases', verb: 'update', ...forbidden('update leases') },
];

describeWithHelm("the chart's service account", () => {
  let kube: SandboxKube | undefined;
  let repository: Repository | undefined;
  let kubeconfig = '';
  let environment: Record<string, string> = {};

  const admin = async (method: string, at: string, body?: unknown, type?: string): Promise<unknown> => {
    const answer = await kube?.request(method, at, body, type);
    if ((answer?.status ?? 500) > 299) throw new Error(`${method} ${at}: ${JSON.stringify(answer)}`);
    return answer?.body;
  };

  /** A kubeconfig for one of the chart's service accounts. */
  async function kubeconfigOf(account: string, dir: string): Promise<string> {
    const request = `/api/v1/namespaces/${installed}/serviceaccounts/${account}/token`;
    const { status } = (await admin('POST', request, {})) as { status: { token: string } };
    const { clusters } = JSON.parse(await readFile(kube?.kubeconfig ?? '', 'utf8')) as {
      clusters: { cluster: Record<string, string> }[];
    };
    const ca = Buffer.from(clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64').toString();
    const access = { url: kube?.url ?? '', token: status.token, ca, namespace: installed };
    return writeKubeconfig(dir, account, access);
  }

  beforeAll(async () => {
    const dir = await temporaryFolder('kube');
    kube = await startKube({ dir, real: true });
    repository = await freshRepository();
    const cluster = await ceph();
    const place = await freshNamespace();
    await cluster.createImage(`${place}/data`, '8M');
    const [pool = '', radosNamespace = ''] = place.split('/');
    const attributes = { clusterID: 'sandbox', pool, radosNamespace, imageName: 'data' };
    await kube.seed(boundClaim('tenant', 'data', { driver: 'rbd.csi.ceph.com', attributes, block: true }));
    await admin('POST', '/api/v1/namespaces', { metadata: { name: installed } });

    const { stdout } = await template(
      { prune: { enabled: true, existingSecret: 'x' }, report: { enabled: true } },
      { namespace: installed },
    );
    const roles = stdout
      .split(/^---$/m)
      .filter((text) => /kind: (ServiceAccount|(Cluster)?Role(Binding)?)$/m.test(text));
    const file = path.join(dir, 'roles.yaml');
    await writeFile(file, roles.join('---'));
    await runProgram(kubectl, ['--kubeconfig', kube.kubeconfig, 'apply', '--filename', file], {
      env: { HOME: dir },
    });
    kubeconfig = await kubeconfigOf('cephbackup', dir);
    environment = { ...repository.env, CEPH_CONF: cluster.conf };
  });
  afterAll(() => kube?.stop());

  /** A run as the account, on a volume that was never marked. `lease`: whether there is one already, unheld. */
  async function backUp(lease: 'absent' | 'present'): Promise<CephbackupResult> {
    await admin('PATCH', volume, { metadata: { annotations: null } }, mergePatch);
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${installed}/leases`;
    await kube?.request('DELETE', `${leases}/cephbackup`);
    if (lease === 'present') await admin('POST', leases, { metadata: { name: 'cephbackup' }, spec: {} });
    return runCephbackup(['run', '--output=json', '--kubeconfig', kubeconfig], { env: environment });
  }

  test('may do everything that a run needs', async () => {
    const { code, stderr, json } = await backUp('absent');
    expect(stderr).not.toContain('not allowed');
    expect(json).toMatchObject({
      exitCode: 0,
      volumes: [{ pvc: 'data', outcome: 'succeeded' }],
      warnings: [],
    });
    expect(code).toBe(0);
    const { metadata } = (await admin('GET', volume)) as { metadata: { annotations?: object } };
    expect(Object.keys(metadata.annotations ?? {})).toContain('cephbackup.hpc.nyu.edu/last-backup');
    const events = (await admin('GET', '/api/v1/namespaces/tenant/events')) as {
      items: { reason: string }[];
    };
    expect(events.items.map(({ reason }) => reason)).toEqual(['BackupSucceeded']);
  });

  test.each(table)('without $verb on $resource: exit code $exitCode', async (missing) => {
    const { resource, verb, exitCode, says } = missing;
    const at =
      resource === 'leases'
        ? `${roles}/namespaces/${installed}/roles/cephbackup`
        : `${roles}/clusterroles/${installed}-cephbackup`;
    const role = (await admin('GET', at)) as { rules: Rule[] };
    const less = role.rules.map((rule) =>
      rule.resources.includes(resource)
        ? { ...rule, verbs: rule.verbs.filter((name) => name !== verb) }
        : rule,
    );
    expect(less).not.toEqual(role.rules);
    // A rule must have verbs.
    await admin('PATCH', at, { rules: less.filter(({ verbs }) => verbs.length > 0) }, mergePatch);
    try {
      const { code, stderr } = await backUp(verb === 'update' ? 'present' : 'absent');
      if (says === null) expect(stderr).not.toContain('not allowed');
      else expect(stderr).toMatch(says);
      expect(code).toBe(exitCode);
      if (exitCode !== 0) expect(stderr).toMatch(/ClusterRole of the chart|could not be annotated/);
    } finally {
      await admin('PATCH', at, { rules: role.rules }, mergePatch);
    }
  });

  test('the account of prune may do what prune needs, and not what a run needs', async () => {
    const as = ['--kubeconfig', await kubeconfigOf('cephbackup-prune', await temporaryFolder('prune'))];
    const pruned = await runCephbackup(['prune', '--keep-last', '1', ...as], { env: environment });
    expect([pruned.code, pruned.stderr.includes('not allowed')]).toEqual([0, false]);
    const { code, stderr } = await runCephbackup(['run', ...as], { env: environment });
    expect([code, stderr.includes('not allowed to get leases')]).toEqual([3, true]);
  });

  test('the account of the report may write the page, and nothing is too much', async () => {
    const as = ['--kubeconfig', await kubeconfigOf('cephbackup-report', await temporaryFolder('report'))];
    const page = path.join(await temporaryFolder('page'), 'index.html');
    const write = () => runCephbackup(['report', page, '--repository', ...as], { env: environment });
    const written = await write();
    expect([written.code, written.stderr.includes('not allowed')]).toEqual([0, false]);
    expect(await readFile(page, 'utf8')).toContain('tenant');
    const at = `${roles}/clusterroles/${installed}-cephbackup-report`;
    const { rules } = (await admin('GET', at)) as { rules: Rule[] };
    for (const resource of rules.flatMap(({ resources }) => resources)) {
      const less = rules.map((rule) => ({
        ...rule,
        resources: rule.resources.filter((name) => name !== resource),
      }));
      await admin('PATCH', at, { rules: less.filter(({ resources }) => resources.length > 0) }, mergePatch);
      const { stderr } = await write();
      expect(stderr).toContain(`not allowed to list ${resource}`);
    }
    await admin('PATCH', at, { rules }, mergePatch);
    const { code, stderr } = await runCephbackup(['run', ...as], { env: environment });
    expect([code, stderr.includes('not allowed to get leases')]).toEqual([3, true]);
  });

  test('every right of the chart is in the table', async () => {
    const granted = await Promise.all(
      [
        `${roles}/clusterroles/${installed}-cephbackup`,
        `${roles}/namespaces/${installed}/roles/cephbackup`,
      ].map(async (at) => ((await admin('GET', at)) as { rules: Rule[] }).rules),
    );
    const rights = granted
      .flat()
      .flatMap(({ resources, verbs }) => verbs.map((verb) => `${verb} ${resources.join()}`));
    expect(table.map(({ verb, resource }) => `${verb} ${resource}`).toSorted()).toEqual(rights.toSorted());
  });
});
