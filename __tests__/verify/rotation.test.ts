import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import path from 'node:path';
import { startKube, type SandboxKube } from '../../sandbox/kube/index.js';
import type { PersistentVolume } from '../../lib/kube/types.js';
import { claimObjects } from '../support/kube/objects.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';
import { clusterName, hurt, Library, outcomes, uidOf, type Made, type Verified } from './library.js';

const prefix = 'cephbackup.hpc.nyu.edu';
const MiB = 1024 * 1024;

let kube: SandboxKube;
let library: Library;
let made: Record<'a' | 'b' | 'c' | 'gone', Made>;

const nameOf = (pvc: string) => `/api/v1/persistentvolumes/pv-${pvc}`;

async function annotate(pvc: string, annotations: Record<string, string | null>): Promise<void> {
  const body = {
    metadata: {
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [`${prefix}/${key}`, value]),
      ),
    },
  };
  await kube.request('PATCH', nameOf(pvc), body, 'application/merge-patch+json');
}

async function verifiedMark(pvc: string): Promise<string | undefined> {
  const { body } = await kube.request('GET', nameOf(pvc));
  return (body as PersistentVolume).metadata?.annotations?.[`${prefix}/last-verified`];
}

function verify(...args: string[]): Promise<Verified> {
  const common = ['--cluster-name', clusterName, '--concurrency', '1'];
  return library.verify([...args, ...common], { KUBECONFIG: kube.kubeconfig });
}

beforeAll(async () => {
  library = await Library.create();
  kube = await startKube({ dir: path.join(await temporaryFolder('kube'), 'kube') });
  atEnd(() => kube.stop());
  if (!kube.real) {
    await kube.seed([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }]);
  }
  const objects = ['a', 'b', 'c'].flatMap((pvc) => claimObjects('app', pvc));
  const uids = await kube.seed(objects);
  for (const { kind, metadata } of uids) {
    if (kind === 'PersistentVolumeClaim') library.uids.set(metadata?.name ?? '', metadata?.uid ?? '');
  }
  const backup = (pvc: string, seed: number, day: number) =>
    library.files(pvc, { file: { seed, length: MiB } }, `2026-01-0${day} 00:00:00`);
  made = {
    a: await backup('a', 1, 1),
    b: await backup('b', 2, 2),
    c: await backup('c', 3, 3),
    // Claims that exist no more have nothing to be marked.
    gone: await backup('gone', 4, 4),
  };
});

beforeEach(async () => {
  const none = { 'last-verified': null, 'last-snapshot': null, 'last-backup-claim': null };
  for (const pvc of ['a', 'b', 'c']) await annotate(pvc, none);
});

describe('the rotation', () => {
  test('takes what was never proven, then the oldest proof, as much as the budget allows, and marks it', async () => {
    await annotate('a', { 'last-verified': '2026-02-02T00:00:00Z' });
    await annotate('b', { 'last-verified': '2026-02-01T00:00:00Z' });
    // Older than c's first backup: the proof of a claim that had the volume before.
    await annotate('c', { 'last-verified': '2026-01-01T00:00:00Z' });
    const before = Date.now();
    const answer = await verify('--budget', `${2 * MiB}B`);
    expect(answer.code).toBe(0);
    expect(answer.report.claims.map(({ pvc, outcome }) => [pvc, outcome])).toEqual([
      ['c', 'verified'],
      ['b', 'verified'],
      ['a', 'not-attempted'],
    ]);
    expect(await verifiedMark('a')).toBe('2026-02-02T00:00:00Z');
    for (const { pvc, lastVerified, error, uid } of answer.report.claims) {
      expect(await verifiedMark(pvc)).toBe(lastVerified);
      expect({ error, uid }).toEqual({ error: null, uid: library.uids.get(pvc) });
    }
    const marked = Date.parse((await verifiedMark('c')) ?? '');
    expect(marked).toBeGreaterThanOrEqual(Math.floor(before / 1000) * 1000);
    expect(marked).toBeLessThanOrEqual(Date.now());

    // What was left comes first the next time; a budget that is too small takes one all the same.
    const next = await verify('--budget', '1B');
    expect(outcomes(next)).toMatchObject({ a: 'verified', b: 'not-attempted', c: 'not-attempted' });
  });

  test('stops between claims when its time is over, and that is no failure', async () => {
    const answer = await verify('--budget', '0.1s');
    expect(answer.code).toBe(0);
    expect(Object.values(outcomes(answer)).toSorted()).toEqual([
      'not-attempted',
      'not-attempted',
      'verified',
    ]);
  });

  test('named claims are read whatever the budget, also those that exist no more', async () => {
    const answer = await verify('--budget', '1B', 'app/gone', 'app/b');
    expect(answer.code).toBe(0);
    expect(outcomes(answer)).toEqual({ b: 'verified', gone: 'verified' });
    expect(await verifiedMark('b')).toMatch(/^2/);
    const unknown = await verify('app/unknown', 'app/a');
    expect(unknown).toMatchObject({ code: 1, report: { error: { code: 'SNAPSHOT_NOT_FOUND' } } });
  });
});

test('a claim without a backup where its volume names one is damage, whatever older one can be read', async () => {
  const lost = '12ab'.repeat(16);
  const mark = { 'last-snapshot': lost, 'last-backup': '2026-01-09T00:00:00Z' };
  await annotate('b', { ...mark, 'last-backup-claim': library.uids.get('b') ?? '' });
  // Marked for a claim that had the volume before.
  await annotate('c', { ...mark, 'last-backup-claim': uidOf('other') });
  await annotate('a', {
    'last-snapshot': made.a.id,
    'last-backup-claim': library.uids.get('a') ?? '',
  });
  const answer = await verify();
  expect(answer.code).toBe(1);
  expect(outcomes(answer)).toEqual({ a: 'verified', b: 'damaged', c: 'verified' });
  expect(hurt(answer)).toEqual({ b: [lost] });
  const error = answer.report.claims.find(({ pvc }) => pvc === 'b')?.error;
  expect(error).toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
  expect(error?.message).toContain(made.b.id.slice(0, 8));
  expect(await verifiedMark('b')).toBeUndefined();
  expect(await verifiedMark('a')).toBeDefined();
});

test('a damaged backup is not marked', async () => {
  const sound = library;
  library = await sound.copy('unmarked');
  try {
    await library.remove('data', made.c.data[0]);
    expect(await verify('app/c', 'app/a')).toMatchObject({ code: 1 });
    expect(await verifiedMark('c')).toBeUndefined();
    expect(await verifiedMark('a')).toBeDefined();
  } finally {
    library = sound;
  }
});

test('where the volume may not be annotated, the proof is told all the same', async () => {
  const rules = [{ apiGroups: [''], resources: ['namespaces', 'persistentvolumes'], verbs: ['list', 'get'] }];
  const kubeconfig = await kube.account('reader', rules);
  const answer = await library.verify(['app/a', '--cluster-name', clusterName], { KUBECONFIG: kubeconfig });
  expect(answer.code).toBe(3);
  expect(answer.report.claims).toMatchObject([
    { outcome: 'verified', error: { code: 'PV_NOT_MARKED' }, lastVerified: null },
  ]);
});

describe('without the API', () => {
  const nowhere = { KUBECONFIG: '/nowhere/kubeconfig' };

  test('a rotation is refused where one is configured: it would read the same claims each time', async () => {
    const kubeconfig = path.join(await temporaryFolder('dead'), 'kubeconfig');
    const dead = { apiVersion: 'v1', kind: 'Config', 'current-context': 'x' };
    const { writeFile } = await import('node:fs/promises');
    const clusters = [{ name: 'x', cluster: { server: 'https://127.0.0.1:9' } }];
    const contexts = [{ name: 'x', context: { cluster: 'x', user: 'x' } }];
    await writeFile(
      kubeconfig,
      JSON.stringify({ ...dead, clusters, contexts, users: [{ name: 'x', user: {} }] }),
    );
    const rotation = await library.verify([], { KUBECONFIG: kubeconfig });
    expect(rotation).toMatchObject({ code: 3, report: { error: { code: 'KUBE_UNREACHABLE' } } });
    const named = await library.verify(['app/a'], { KUBECONFIG: kubeconfig });
    expect(named).toMatchObject({ code: 0, report: { claims: [{ outcome: 'verified' }] } });
    expect(named.report.warnings.join()).toContain('not marked');
  });

  test('a repository that is not there is exit code 3', async () => {
    const env = { ...nowhere, RESTIC_REPOSITORY: '/nowhere' };
    expect(await library.verify([], env)).toMatchObject({
      code: 3,
      report: { error: { code: 'REPOSITORY_MISSING' } },
    });
  });
});
