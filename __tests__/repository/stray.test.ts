import { beforeAll, expect, test } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFilesystem } from '../../sandbox/ceph.js';
import { freshRepository } from '../support/repository.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';

let scenario: Scenario;
let claim: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create();
  claim = await scenario.claim('data', { fill: content('first') });
});

function content(text: string) {
  return (root: string) => writeFile(path.join(root, 'file'), text);
}

const withoutApi = { KUBECONFIG: '' };

/** What `restore` brings, and what it said; without the API unless `env` says otherwise. */
async function restored(env: Record<string, string>, ...args: string[]) {
  const target = await temporaryFolder('restored');
  const command = ['restore', 'demo/data', '--to-directory', target, '-o', 'json', ...args];
  const { code, json, stderr } = await scenario.cephbackup(command, { env });
  if (code !== 0) throw new Error(stderr);
  const { snapshot, warnings } = json as { snapshot: string; warnings: string[] };
  return { snapshot, warnings, text: await readFile(path.join(target, 'file'), 'utf8') };
}

async function change(text: string): Promise<void> {
  await writeFilesystem(scenario.cluster, claim.image, 'ext4', content(text));
}

interface Pruned {
  claims: { uid: string; keep: { id: string; reasons: string[] }[]; forget: { id: string }[] }[];
  proofs: { keep: unknown[]; forget: unknown[] };
}

async function prune(...args: string[]) {
  const { code, json, stderr } = await scenario.cephbackup(['prune', '-o', 'json', ...args]);
  if (code !== 0) throw new Error(stderr);
  const { claims, proofs } = json as Pruned;
  const own = claims.find(({ uid }) => uid === claim.uid);
  const ids = (list: { id: string }[] = []) => list.map(({ id }) => id);
  return { keep: ids(own?.keep), forget: ids(own?.forget), proofs };
}

// Real Ceph, real restic: restic has saved a snapshot, and then its mount turns out to be gone.
test('a stray that is the newest snapshot is never restored, marked or kept instead of a proven one', async () => {
  const first = (await scenario.run()).volume(claim).snapshot ?? '';
  await change('stray');
  const command = 'cd /; umount --lazy /run/cephbackup/volume';
  const faults = [{ program: 'restic', when: 'backup*pvc=data*', mode: 'then' as const, command }];
  const failed = await scenario.run({ faults });
  expect(failed.code).toBe(1);
  const stray = failed.leftovers.find(({ kind }) => kind === 'restic-snapshot')?.name ?? '';
  expect((await scenario.snapshots(claim)).map(({ id }) => id)).toEqual([first, stray]);

  for (const env of [withoutApi, {}]) {
    const last = await restored(env);
    expect(last).toMatchObject({ snapshot: first, text: 'first' });
    expect(last.warnings.join()).toContain(`snapshot ${stray.slice(0, 8)}`);
  }
  const named = await restored(withoutApi, '--snapshot', stray);
  expect(named.snapshot).toBe(stray);
  expect(named.warnings.join()).toContain('is not proven');
  const asOf = await restored(withoutApi, '--as-of', new Date(Date.now() + 60_000).toISOString());
  expect(asOf.snapshot).toBe(first);

  const verified = await scenario.cephbackup(['verify', '-o', 'json']);
  expect(verified.json).toMatchObject({ claims: [{ snapshot: first, outcome: 'verified' }] });
  expect(await scenario.annotations(claim)).toMatchObject({
    'last-snapshot': first,
    'last-verified': expect.any(String),
    'last-verified-snapshot': first,
    'last-verified-claim': claim.uid,
  });
  // Nothing newer is proven: it may be of use to somebody.
  expect(await prune('--keep-last', '1', '--dry-run')).toMatchObject({ keep: [first, stray], forget: [] });

  await change('third');
  const third = (await scenario.run()).volume(claim).snapshot ?? '';
  expect(await prune('--keep-last', '2')).toMatchObject({ keep: [first, third], forget: [stray] });
  expect((await scenario.snapshots(claim)).map(({ id }) => id)).toEqual([first, third]);
}, 180_000);

test('what was proven is known with the password alone, in a copy of the repository as well', async () => {
  const [first, third] = await scenario.snapshots(claim);
  const copy = await freshRepository();
  const source = scenario.repository.env;
  const from = ['--from-repo', source.RESTIC_REPOSITORY, '--from-password-file', source.RESTIC_PASSWORD_FILE];
  await copy.restic('copy', '--quiet', ...from);
  const listed = await scenario.cephbackup(['snapshots', '-o', 'json'], {
    env: { ...copy.env, ...withoutApi },
  });
  const { claims } = listed.json as { claims: { snapshots: { id: string; proof: string }[] }[] };
  expect(claims[0]?.snapshots.map(({ proof }) => proof)).toEqual(['proven', 'proven']);
  expect(claims[0]?.snapshots.map(({ id }) => id)).not.toContain(third?.id);
  // By hand: the words of docs/formats.md.
  const lines = await copy.restic('dump', 'latest', '--tag', 'kind=proofs', '/proofs.txt');
  expect(lines).toContain(`proven ${third?.id ?? ''} ${third?.tree.slice(0, 16) ?? ''}\n`);
  expect(first?.id).not.toBe(third?.id);
});

test('what a first run saves is known as unproven from the beginning, also where it is killed before all else', async () => {
  const first = await Scenario.create();
  const data = await first.claim('data', { fill: content('never proven') });
  const faults = [
    { program: 'restic', when: 'backup*kind=manifests*', mode: 'delay' as const },
    { program: 'restic', when: 'backup*pvc=data*', mode: 'kill-after' as const },
  ];
  expect(await first.cephbackup(['run', '-o', 'json'], { faults })).toMatchObject({ code: null });
  expect(await first.snapshots(data)).toHaveLength(1);
  const restore = ['restore', 'demo/data', '--to-directory', await temporaryFolder('restored'), '-o', 'json'];
  const { code, json } = await first.cephbackup(restore, { env: withoutApi });
  expect({ code, json }).toMatchObject({ code: 1, json: { error: { code: 'SNAPSHOT_NOT_FOUND' } } });
});

// Nothing else in the repository tells then that records are kept: only that it is named as no backup.
test('a stray of a first run whose manifests could not be saved is no backup, with the password alone', async () => {
  const first = await Scenario.create();
  const data = await first.claim('data', { fill: content('never proven') });
  const command = 'cd /; umount --lazy /run/cephbackup/volume';
  const faults = [
    { program: 'restic', when: 'backup*kind=manifests*', mode: 'fail' as const },
    { program: 'restic', when: 'backup*pvc=data*', mode: 'then' as const, command },
  ];
  const failed = await first.run({ faults });
  expect(failed.error?.code).toBe('MANIFESTS_NOT_SAVED');
  expect(await first.snapshots(data)).toHaveLength(1);
  const restore = ['restore', 'demo/data', '--to-directory', await temporaryFolder('restored'), '-o', 'json'];
  const { code, json } = await first.cephbackup(restore, { env: withoutApi });
  expect({ code, json }).toMatchObject({ code: 1, json: { error: { code: 'SNAPSHOT_NOT_FOUND' } } });
});
