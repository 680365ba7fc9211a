import { beforeAll, expect, test } from '@jest/globals';
import { installationId } from '../../../lib/ownership/names.js';
import type { PlannedVolume } from '../../../lib/plan/types.js';
import { isRetired } from '../../../lib/volumes/rbd/bases.js';
import { prefix, type SeededClaim } from '../../support/scenario.js';
import { Rig } from './rig.js';

const mib = 1024 ** 2;

let rig: Rig;
let own: string;

beforeAll(async () => {
  rig = await Rig.create();
  own = installationId(await rig.scenario.clusterUid(), 'default', prefix);
});

function volume(reason: string, kind = 'rbd-block', image = 'i'): PlannedVolume {
  const backup = !['pvc-false', 'not-bound', 'not-opted-in', 'other-shard', 'recent'].includes(reason);
  return {
    uid: image,
    reason,
    kind,
    backup,
    source: { pool: 'p', radosNamespace: null, image },
  } as PlannedVolume;
}

function numbered(reason: string): PlannedVolume {
  const named = volume(reason);
  return { ...named, source: { ...named.source, pool: null } } as PlannedVolume;
}

test.each<[string, 'keep' | 'remove-selected' | 'remove-all', PlannedVolume[], PlannedVolume[], boolean]>([
  // [what, the option, the run's claims, all claims, whether it goes]
  ['of a claim that is backed up so', 'keep', [volume('default')], [volume('default')], false],
  ['where the option is not given', 'remove-selected', [volume('default')], [volume('default')], true],
  ['of a claim that the run leaves out', 'remove-selected', [], [volume('default')], false],
  ["of another shard's claim", 'remove-selected', [volume('other-shard')], [volume('default')], true],
  ['of one that is recent', 'keep', [volume('recent')], [volume('default')], false],
  ['of one that opted out', 'keep', [volume('pvc-false')], [volume('pvc-false')], true],
  ['of one that opted out and is left out', 'keep', [], [volume('pvc-false')], true],
  [
    'of one of two that opted out',
    'keep',
    [volume('default')],
    [volume('pvc-false'), volume('default')],
    false,
  ],
  ['of a claim that names its pool by number', 'keep', [numbered('default')], [numbered('default')], false],
  ['of one that --opt-in leaves out', 'keep', [volume('not-opted-in')], [volume('default')], true],
  ['of a claim that a narrowed run with --opt-in does not look at', 'keep', [], [volume('default')], false],
  ['of no claim', 'keep', [volume('default', 'rbd-block', 'j')], [volume('default', 'rbd-block', 'j')], true],
  ['of what is a filesystem now', 'keep', [volume('default', 'rbd-filesystem')], [volume('default')], true],
  ['whatever it is', 'remove-all', [], [volume('default')], true],
])('a base %s', (_, bases, volumes, everyClaim, goes) => {
  const image = { pool: 'p', namespace: null, image: 'i' };
  expect(isRetired(image, { bases, volumes, everyClaim })).toBe(goes);
});

async function addBase({ image }: SeededClaim, installation = own): Promise<string> {
  const name = `cephbackup-${installation}-base-0123456789abcdef`;
  await rig.scenario.cluster.rbd('snap', 'create', '--no-progress', `${image}@${name}`);
  return name;
}

async function annotate(claim: SeededClaim, annotations: Record<string, string>): Promise<void> {
  const path = `/api/v1/namespaces/${claim.namespace}/persistentvolumeclaims/${claim.name}`;
  await rig.scenario.kube.request(
    'PATCH',
    path,
    { metadata: { annotations } },
    'application/merge-patch+json',
  );
}

test('at most one base stays: without the option, opted out, deleted, in the trash none does', async () => {
  const { scenario } = rig;
  const [kept, out, gone, trashed, other] = await Promise.all(
    ['kept', 'out', 'gone', 'trashed', 'other'].map(async (namespace) => {
      const claim = await rig.disk(namespace, 8 * mib);
      rig.io(claim, 'write -P 1 0 64k');
      return claim;
    }),
  );
  if (!kept || !out || !gone || !trashed || !other) throw new Error('no claims');
  const first = await scenario.run({ args: ['--keep-base'] });
  expect(first.exitCode).toBe(0);
  const older = await addBase(kept);
  expect((await rig.bases(kept)).length).toBe(2);
  await annotate(out, { [`${prefix}/backup`]: 'false' });
  for (const { namespace, name, pv } of [gone, trashed]) {
    await scenario.kube.request('DELETE', `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`);
    await scenario.kube.request('DELETE', `/api/v1/persistentvolumes/${pv}`);
  }
  await scenario.cluster.rbd('trash', 'mv', trashed.image);
  const foreign = await addBase(other, 'ffffffff');

  // A run that leaves the others out knows all the same what is not backed up any more.
  await rig.backUp('kept');
  expect(await rig.bases(kept)).not.toContain(older);
  expect((await rig.bases(kept)).length).toBe(1);
  expect([await rig.bases(out), await rig.bases(gone)]).toEqual([[], []]);
  const [{ id }] = (await scenario.cluster.json('rbd', ['trash', 'ls', scenario.place])) as [{ id: string }];
  // Nothing keeps the image from being deleted for good.
  await scenario.cluster.rbd('trash', 'rm', '--no-progress', `${scenario.place}/${id}`);
  expect((await rig.bases(other)).length).toBe(2);
  // What others back up is not known by this run's --opt-in.
  const named = await rig.run('kept', ['--keep-base', '--opt-in', '--allow-empty']);
  expect([named.exitCode, (await rig.bases(other)).length]).toEqual([0, 2]);
  expect(await rig.bases(kept)).toEqual([]);
  await rig.backUp('kept');

  // Without the option, of those that are backed up.
  await rig.backUp('kept', []);
  expect([await rig.bases(kept), (await rig.bases(other)).length]).toEqual([[], 2]);

  const cleanup = async (...args: string[]) => {
    const { json, code } = await scenario.cephbackup(['cleanup', '-o', 'json', ...args]);
    const { removed, foreign: seen } = json as { removed: { name: string }[]; foreign: { name: string }[] };
    expect(code).toBe(0);
    return [removed.length, seen.map(({ name }) => name)];
  };
  const theirs = [`${other.image}@${foreign}`];
  expect(await cleanup()).toEqual([0, theirs]);
  expect(await cleanup('--bases', '--dry-run')).toEqual([1, theirs]);
  expect((await rig.bases(other)).length).toBe(2);
  expect(await cleanup('--bases')).toEqual([1, theirs]);
  expect(await rig.bases(other)).toEqual([foreign]);
}, 600_000);
