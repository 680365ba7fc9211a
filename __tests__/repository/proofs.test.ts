import { describe, expect, test } from '@jest/globals';
import { asCephbackupError } from '../../lib/errors/error.js';
import { chooseBackup } from '../../lib/repository/choose.js';
import { backupsOf, groupByClaim, newestProven, type Backup } from '../../lib/repository/claims.js';
import { clusterScope } from '../../lib/repository/clusters.js';
import { manifestsHost, manifestTags, recordNote } from '../../lib/repository/manifests.js';
import { judge, proofNote, proofsHost, proofTags } from '../../lib/repository/proofs.js';
import { applyRules } from '../../lib/retention/rules.js';
import type { KeepRules } from '../../lib/retention/keep.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';
import type { Candidate } from '../../lib/verify/rotation.js';
import { Random } from '../plan/random.js';
import { cluster, World } from './history.js';

const scope = clusterScope(cluster, null, []);
const quiet = () => undefined;

/** What `restore NAMESPACE/PVC --uid UID` takes. */
function taken(backups: readonly Backup[], pvc: string, uid: string): Backup | null {
  const wanted = { namespace: 'n', pvc, uid, snapshot: null, asOf: null };
  try {
    return chooseBackup(backups, wanted, scope, quiet);
  } catch (thrown) {
    expect(asCephbackupError(thrown).code).toBe('SNAPSHOT_NOT_FOUND');
    return null;
  }
}

const rulesOf = (random: Random): KeepRules => ({
  last: random.below(4),
  hourly: null,
  daily: random.below(5),
  weekly: random.below(3),
  monthly: null,
  yearly: null,
  withinMs: random.below(3) === 0 ? 48 * 3_600_000 : null,
});

const seeds = Array.from({ length: Number(process.env.HISTORIES ?? 12) }, (_, index) => index + 1);

describe.each(seeds)('history %i', (seed) => {
  test('of this release alone: what was proven counts, and nothing else, with and without the API', async () => {
    const random = new Random(seed);
    const world = new World(random);
    for (let step = 0; step < 40; step += 1) {
      if (random.below(10) === 0) world.recreate();
      await world.run('new', random.below(4) === 0);
      check(world);
      if (random.below(12) === 0) world.moveToCopy();
      if (random.below(3) === 0) checkPrune(world, rulesOf(random));
      if (random.below(3) === 0) checkVerify(world, 1 + random.below(2));
    }
    // After a run that lived, what is not proven is gone with the next prune wherever something newer is proven.
    await world.run('new', false);
    world.prune({ ...rulesOf(random), last: 1 });
    for (const claim of groupByClaim(backupsOf(world.snapshots, world.marks))) {
      const last = newestProven(claim);
      const older = claim.backups.filter(({ time }) => last !== null && time < last.time);
      expect(older.filter(({ proof }) => proof === 'unproven')).toEqual([]);
    }
  });

  test('of a first run that is killed anywhere, and of the next one: nothing unproven counts', async () => {
    const random = new Random(seed);
    for (let life = 0; life < 20; life += 1) {
      const world = new World(random);
      await world.run('new', true);
      check(world);
      await world.run('new', random.below(2) === 0);
      check(world);
    }
  });

  test('after runs of a release that kept no record: all of theirs counts on, but what is newer than a mark', async () => {
    const random = new Random(seed);
    const world = new World(random);
    for (let step = 0; step < 10; step += 1) await world.run('old', random.below(6) === 0);
    const before = backupsOf(world.snapshots, world.marks);
    expect(before.filter(({ proof }) => proof === 'changed')).toEqual([]);
    const newerThanMark = new Set(before.filter(({ proof }) => proof === 'unproven').map(({ id }) => id));
    for (const id of newerThanMark) expect(world.marked).not.toContain(id);
    for (let step = 0; step < 20; step += 1) {
      await world.run(random.below(6) === 0 ? 'old' : 'new', random.below(5) === 0);
      // Nothing of an old release becomes uncounted that counted, whatever is recorded later.
      for (const { id, proof } of backupsOf(world.snapshots, world.marks)) {
        const { release, sound } = world.truth.get(id) ?? { release: 'new', sound: false };
        const was = before.find((one) => one.id === id);
        if (was !== undefined && was.proof !== 'unproven') expect(proof).not.toBe('unproven');
        if (release === 'new' && !sound) expect(proof).toBe('unproven');
      }
      if (random.below(4) === 0) checkPrune(world, rulesOf(random));
    }
  });
});

function check(world: World): void {
  for (const marks of [null, world.marks]) {
    const backups = backupsOf(world.snapshots, marks);
    const copy = backupsOf(world.copied(), marks);
    for (const { uid, pvc } of world.claims) {
      const found = taken(backups, pvc, uid);
      if (found !== null) expect(world.truth.get(found.id)).toMatchObject({ sound: true });
      // No older one than the newest that was told of.
      const told = backups.filter((one) => one.uid === uid && world.truth.get(one.id)?.told === true);
      expect(found?.time ?? 0).toBeGreaterThanOrEqual(Math.max(0, ...told.map(({ time }) => time)));
      // The same in a repository that it was copied to.
      expect(taken(copy, pvc, uid)?.time).toBe(found?.time);
    }
  }
}

function checkPrune(world: World, rules: KeepRules): void {
  const proofs = new Map(backupsOf(world.snapshots, world.marks).map(({ id, proof }) => [id, proof]));
  const { before, forgotten } = world.prune(rules);
  for (const claim of groupByClaim(backupsOf(before, world.marks))) {
    const living = world.claims.some(({ uid }) => uid === claim.uid);
    const proven = claim.backups.filter(({ proof }) => proof === 'proven');
    // What the rules keep of the proven ones by themselves stays, whatever else there is: no period has a stray alone.
    for (const [id, { keep }] of applyRules(proven, rules, world.now)) {
      if (keep || !living) expect(forgotten).not.toContain(id);
    }
    const last = newestProven(claim);
    if (last !== null) expect(forgotten).not.toContain(last.id);
    for (const { id, time, proof } of claim.backups) {
      if (proof !== 'unproven' || !forgotten.has(id)) continue;
      expect(proven.some((other) => other.time > time)).toBe(true);
    }
  }
  // What is known of a snapshot does not change by what was removed beside it.
  for (const { id, proof } of backupsOf(world.snapshots, world.marks)) expect(proof).toBe(proofs.get(id));
  const recorded = judge(before, null);
  for (const { id, proof } of backupsOf(world.snapshots, null)) {
    const was = before.find((one) => one.id === id);
    expect(was === undefined ? null : recorded(was)).toBe(proof);
  }
}

/** Only sound backups are read and marked, each claim's turn comes, and nobody has another claim's proof. */
function checkVerify(world: World, most: number): void {
  const before = new Map(world.verified);
  const { candidates, read } = world.verify(most);
  expect(read).toHaveLength(Math.min(most, candidates.length));
  const age = ({ claim }: Candidate) => before.get(claim.uid) ?? 0;
  const latest = Math.max(...read.map(age));
  for (const one of candidates) {
    expect(one.lastVerified ?? 0).toBe(age(one));
    expect(world.truth.get(one.backup.id)).toMatchObject({ sound: true });
    if (!read.includes(one)) expect(age(one)).toBeGreaterThanOrEqual(latest);
  }
}

describe('one snapshot', () => {
  const tree = 'ab'.repeat(32);
  const id = '12'.repeat(32);
  const tags = [`cluster=${cluster}`, 'namespace=n', 'pvc=p', 'uid=u', 'pv=v', 'kind=cephfs'];
  const one: ResticSnapshot = {
    id,
    time: '2026-01-02T00:00:00Z',
    tree,
    paths: ['/'],
    hostname: 'k8s-n-nspvc-p',
    tags,
    summary: null,
  };
  const own = (hostname: string, tagged: string[], notes: string[], time: string): ResticSnapshot => ({
    ...one,
    id: 'cd'.repeat(32),
    hostname,
    tags: tagged,
    excludes: notes,
    time,
  });
  const run = own(manifestsHost, manifestTags(cluster), [recordNote], '2026-01-01T23:59:59Z');
  const oldRun = { ...run, excludes: [] };
  const record = (...notes: string[]) => own(proofsHost, proofTags(cluster), notes, '2026-01-02T01:00:00Z');
  const proven = record(proofNote('proven', one));

  test.each<[string, ResticSnapshot[], ResticSnapshot, string]>([
    ['no record of anything', [], one, 'untold'],
    ['a run that kept none', [oldRun], one, 'untold'],
    ['a run that kept one, and was killed', [run], one, 'unproven'],
    ['another run before', [{ ...run, time: '2025-12-31T00:00:00Z' }, oldRun], one, 'untold'],
    ['a later run', [{ ...run, time: '2026-01-02T00:00:01Z' }], one, 'untold'],
    ['a run of another cluster', [{ ...run, tags: manifestTags('d') }], one, 'untold'],
    ['named', [run, proven], one, 'proven'],
    ['named without its run', [proven], one, 'proven'],
    ['named in a record of another cluster', [run, { ...proven, tags: proofTags('d') }], one, 'unproven'],
    ['named in what is no record', [run, { ...proven, hostname: 'h' }], one, 'unproven'],
    ['named as no backup', [record(proofNote('unproven', one))], one, 'unproven'],
    ['named as both', [proven, record(proofNote('unproven', one))], one, 'proven'],
    ['named as both, the other way round', [record(proofNote('unproven', one)), proven], one, 'proven'],
    ['copied, or tagged', [run, proven], { ...one, id: 'ef'.repeat(32), original: id }, 'proven'],
    ['a copied stray', [run], { ...one, id: 'ef'.repeat(32), original: id }, 'unproven'],
    [
      'rewritten',
      [run, proven],
      { ...one, id: 'ef'.repeat(32), original: id, tree: '0'.repeat(64) },
      'changed',
    ],
  ])('%s', (_, others, snapshot, expected) => {
    expect(judge([...others, snapshot], null)(snapshot)).toBe(expected);
  });

  test('marks count beside the record', () => {
    const marks = { cluster, ids: new Set([id]) };
    expect(judge([run, one], marks)(one)).toBe('proven');
    const newer = { ...one, id: '34'.repeat(32), time: '2026-01-03T00:00:00Z' };
    const older = { ...one, id: '56'.repeat(32), time: '2026-01-01T00:00:00Z' };
    const known = judge([older, one, newer], marks);
    expect([older, one, newer].map(known)).toEqual(['untold', 'proven', 'unproven']);
    expect(judge([older, one, newer], { cluster: 'd', ids: marks.ids })(newer)).toBe('untold');
  });
});
