import { beforeAll, expect, test } from '@jest/globals';
import type { KubeObject } from '../../lib/kube/types.js';
import { Scenario } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';

const leases = '/apis/coordination.k8s.io/v1/leases';
let scenario: Scenario;

// A CronJob in the namespace `backup`, and an administrator whose context's namespace is `default`.
beforeAll(async () => {
  scenario = await Scenario.create();
  await scenario.claim('disk', { volumeMode: 'Block', format: 'none', size: '4M' });
  await scenario.kube.seed([{ kind: 'Namespace', metadata: { name: 'backup' } }]);
  const run = await scenario.run({ args: ['--lease-namespace', 'backup'] });
  if (run.code !== 0) throw new Error(run.stderr);
});

async function leaseNamespaces(): Promise<string[]> {
  const { items } = (await scenario.kube.request('GET', leases)).body as { items: KubeObject[] };
  return items.flatMap(({ metadata }) => (metadata?.name === 'cephbackup' ? (metadata.namespace ?? []) : []));
}

test('from outside, nothing takes another lease beside the one that is there', async () => {
  const before = await scenario.snapshots(await uidOf('disk'));
  for (const args of [
    ['run'],
    ['cleanup'],
    ['restore', 'demo/disk', '--to-image', `${scenario.place}/new`],
    ['verify', 'demo/disk', '--drill'],
  ]) {
    const { code, json, stderr } = await scenario.cephbackup([...args, '-o', 'json']);
    expect([args[0], code, stderr]).toEqual([
      args[0],
      2,
      expect.stringContaining('--lease-namespace backup'),
    ]);
    expect(json).toMatchObject({ error: { code: 'LEASE_ELSEWHERE' } });
  }
  expect(await leaseNamespaces()).toEqual(['backup']);
  expect(await scenario.snapshots(await uidOf('disk'))).toEqual(before);
});

test('what takes no lease needs none, and whoever names it is let in', async () => {
  const target = await temporaryFolder('restored');
  for (const args of [
    ['run', '--dry-run'],
    ['status'],
    ['cleanup', '--dry-run'],
    ['restore', 'demo/disk', '--to-file', `${target}/disk.raw`, '--format', 'raw'],
    ['cleanup', '--lease-namespace', 'backup'],
  ]) {
    const { code, stderr } = await scenario.cephbackup(args);
    if (code !== 0) throw new Error(`${args.join(' ')}: exit ${String(code)}\n${stderr}`);
  }
  const dry = await scenario.cephbackup(['cleanup', '--dry-run']);
  expect(dry.stderr).toContain('backups of this cluster have their lease in namespace backup');
  const doctor = await scenario.cephbackup(['doctor', '-o', 'json']);
  const { checks } = doctor.json as { checks: { name: string; status: string; fix?: string }[] };
  expect(checks.find(({ name }) => name === 'lease')).toMatchObject({ status: 'failed' });
  expect(await leaseNamespaces()).toEqual(['backup']);
});

async function uidOf(name: string) {
  const path = `/api/v1/namespaces/demo/persistentvolumeclaims/${name}`;
  const { metadata } = (await scenario.kube.request('GET', path)).body as KubeObject;
  return { namespace: 'demo', name, uid: metadata?.uid ?? '', pv: '', image: '' };
}
