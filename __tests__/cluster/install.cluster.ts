import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectKube } from '../../lib/kube/client.js';
import { jobsWithoutPod } from '../../lib/kube/stuck-jobs.js';
import { silent } from '../../lib/log/logger.js';
import type { RunReport } from '../../lib/run/report.js';
import { mountImage, writeFilesystem, type MountedVolume } from '../../sandbox/ceph/images.js';
import { mountShare } from '../../sandbox/ceph/shares.js';
import type { CephCluster } from '../../sandbox/ceph/cluster.js';
import { run, waitFor } from '../../sandbox/process.js';
import { resticProgram } from '../../sandbox/tools.js';
import { ceph } from '../support/ceph.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectSameTree, makeHostileTree } from '../support/tree.js';
import { documentedCommands, runDocumented } from './documented.js';
import { exitCodeOf, helm, inNamespace, kubectl, namespace, outputOf, podsOf } from './kubernetes.js';
import { layDesk, repositoryPassword } from './release.js';
import { createClaim, deleteClaim, fillImage, imageOf, mebibyte, shareOf } from './volumes.js';

/** What the cluster lets pods do where a namespace says nothing; `SANDBOX_CLUSTER` is which Ceph it is, and its keys. */
const { SANDBOX_POD_SECURITY: policy = 'privileged', SANDBOX_CLUSTER: elsewhere = '' } = process.env;
const minutes = 60_000;
const place = 'installed';
const claims = ['installed-files', 'installed-disk', 'installed-share'] as const;

let cluster: CephCluster;
let diskFile: string;
const mounted: MountedVolume[] = [];

beforeAll(async () => {
  cluster = await ceph();
  const [files, disk, share] = claims;
  await cluster.createImage(`rbd/${files}`, '64M');
  await writeFilesystem(cluster, `rbd/${files}`, 'ext4', makeHostileTree);
  mounted.push(await mountImage(cluster, `rbd/${files}`, 'ext4'));
  diskFile = await fillImage(cluster, disk, 8 * mebibyte, await temporaryFolder('disk'));
  const source = await shareOf(cluster, share);
  const at = await mountShare(cluster, 'cephfs', source.path);
  mounted.push(at);
  await makeHostileTree(at.path);
  await run('sync', ['--file-system', at.path]);
  await kubectl('create', 'namespace', place);
  await createClaim(files, imageOf(files), place);
  await createClaim(disk, imageOf(disk, true), place);
  await createClaim(share, source, place);
}, 3 * minutes);

afterAll(async () => {
  for (const volume of mounted) await volume.unmount();
  for (const claim of claims) await deleteClaim(claim, place);
  await kubectl('delete', 'namespace', place);
}, 2 * minutes);

const forget = () => kubectl('delete', 'namespace', namespace, '--ignore-not-found', '--wait');

/** The README's commands as they are typed, with what my-values.yaml says besides; what they leave is what was there. */
async function installAsTyped(values: object): Promise<void> {
  const desk = await layDesk(await temporaryFolder('desk'), cluster, {
    ...values,
    extraArgs: [`--namespace=${place}`],
  });
  const blocks = documentedCommands();
  expect(blocks).toHaveLength(4);
  let output = '';
  for (const block of blocks) output = await runDocumented(block, desk.folder);
  expect(output).toMatch(/first-backup +Complete/);

  const env = { RESTIC_REPOSITORY: desk.repository, RESTIC_PASSWORD: repositoryPassword };
  const target = await temporaryFolder('restored');
  for (const claim of claims) {
    const which = ['--host', `k8s-${place}-nspvc-${claim}`, '--target', path.join(target, claim)];
    await run(resticProgram, ['--no-cache', 'restore', 'latest', ...which, '--quiet'], { env });
  }
  const [files, disk, share] = claims;
  await expectSameTree(mounted[0]?.path ?? '', path.join(target, files));
  await expectSameTree(mounted[1]?.path ?? '', path.join(target, share));
  const image = path.join(target, disk, 'disk.qcow2');
  const told = await run('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', diskFile, image]);
  expect(told).toContain('Images are identical');
}

/** Of each pod of the first backup: how it ended, and its claims. */
async function firstBackup(): Promise<{ exitCode: number | undefined; claims: string[] }[]> {
  return Promise.all(
    (await podsOf('first-backup')).map(async (pod) => ({
      exitCode: exitCodeOf(pod),
      claims: ((await outputOf<RunReport>(pod)).document?.volumes ?? []).map(({ pvc }) => pvc),
    })),
  );
}

describe(`the README's installation, where a namespace without labels is ${policy}`, () => {
  afterAll(forget, 2 * minutes);

  test.each([1, 3])(
    'with shards: %d',
    async (shards) => {
      await forget();
      await installAsTyped({ shards });
      const pods = await firstBackup();
      expect(pods).toHaveLength(shards);
      expect(pods.map(({ exitCode }) => exitCode)).toEqual(Array.from({ length: shards }, () => 0));
      // Each of them by one pod.
      expect(pods.flatMap(({ claims: done }) => done).toSorted()).toEqual(claims.toSorted());
      await helm('uninstall', 'cephbackup', '--wait');
    },
    30 * minutes,
  );

  (elsewhere.endsWith(':aes256k') ? test : test.skip)('its Ceph has keys of the new type alone', async () => {
    const keys = await cluster.run('ceph', ['auth', 'ls', '--format', 'json']);
    const { auth_dump: users } = JSON.parse(keys) as { auth_dump: { entity: string; key: string }[] };
    expect(users.map(({ entity }) => entity)).toContain('client.cephbackup');
    expect(users.filter(({ key }) => !key.startsWith('Ag'))).toEqual([]);
  });
});

(policy === 'privileged' ? describe.skip : describe)('without the label on the namespace', () => {
  afterAll(forget, 2 * minutes);

  test(
    'no Job gets a pod, which is said; with it, the Job that waits gets its pod',
    async () => {
      await forget();
      const desk = await layDesk(await temporaryFolder('desk'), cluster);
      const [install = '', initialize = ''] = documentedCommands();
      const label = /^kubectl label namespace .*\n/m;
      expect(install).toMatch(label);
      const notes = await runDocumented(install.replace(label, ''), desk.folder);
      const cure = /^ *(kubectl label namespace cephbackup .*=privileged)$/m.exec(notes)?.[1] ?? '';
      expect(cure).not.toBe('');

      const [create = '', wait = ''] = initialize.split('\n');
      await runDocumented(create, desk.folder);
      await waitFor('the Job to be refused a pod', 5 * minutes, async () => {
        const events = await inNamespace('get', 'events', '--output', 'jsonpath={.items[*].message}');
        return events.includes(`violates PodSecurity "${policy}:latest"`);
      });
      const signal = new AbortController().signal;
      const kubeconfig = process.env.KUBECONFIG ?? '';
      const api = await connectKube({ kubeconfig, env: process.env, log: silent, signal });
      const [told = ''] = (await jobsWithoutPod(api, Date.now() + 3 * minutes)) ?? [];
      expect(told).toContain('cephbackup/restic-init');
      expect(told).toContain('violates PodSecurity');

      await runDocumented(cure, desk.folder);
      await runDocumented(wait, desk.folder);
      expect(await readFile(path.join(desk.repository, 'config'))).not.toHaveLength(0);
      await helm('uninstall', 'cephbackup', '--wait');
    },
    30 * minutes,
  );
});
