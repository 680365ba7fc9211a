import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Repository } from '../../sandbox/repository.js';
import { Bed, ids, type Answer, type BedClaim } from './bed.js';

/*
 * One repository, made once: what each claim and everybody else has is said in `beforeAll`. Dry runs look at it as it
 * is; what removes something works on a copy.
 */
let bed: Bed;
let daily: BedClaim;
let marked: BedClaim;
let changed: BedClaim;
let tagged: BedClaim;
let gone: BedClaim;
/** Had the name of `daily` before. */
let predecessor: BedClaim;
const of = new Map<BedClaim, string[]>();
let foreign: string[];
let manifests: string[];

const day = (n: number, hour = 12) =>
  `2026-01-${String(n).padStart(2, '0')} ${String(hour).padStart(2, '0')}:00:00`;

async function back(claim: BedClaim, times: string[], tags?: string[]): Promise<void> {
  const made = await inTurn(times.map((time) => () => bed.backup(claim, time, tags && { tags })));
  of.set(claim, [...(of.get(claim) ?? []), ...made]);
}

async function inTurn<T>(actions: (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  for (const action of actions) results.push(await action());
  return results;
}

const snapshotsOf = (claim: BedClaim) => of.get(claim) ?? [];

beforeAll(async () => {
  bed = await Bed.create();
  [daily, marked, changed, tagged] = await Promise.all([
    bed.claim('app', 'daily'),
    bed.claim('app', 'marked'),
    bed.claim('app', 'changed'),
    bed.claim('app', 'tagged'),
  ]);
  gone = bed.deleted('old', 'gone');
  predecessor = bed.deleted('app', 'daily');
  const elsewhere = bed.deleted('app', 'elsewhere');
  await Promise.all([
    inTurn([
      () => back(daily, [day(1), day(2, 6), day(2, 18), day(3), day(4)]),
      () => back(gone, [day(1), day(2), day(3)]),
    ]),
    inTurn([
      () => back(marked, [day(1), day(2), day(3)]),
      // The same claim, first as files and then as an image.
      () => back({ ...changed, kind: 'rbd-filesystem' }, []),
      () => back(changed, [day(1), day(2)], bed.tags({ ...changed, kind: 'rbd-filesystem' })),
      () => back(changed, [day(3)], bed.tags({ ...changed, kind: 'rbd-block' })),
    ]),
    inTurn([
      () => back(tagged, [day(1)], [...bed.tags(tagged), 'keep-this']),
      () => back(tagged, [day(2), day(3)]),
      () => back(predecessor, [day(1), day(2)]),
      async () => {
        foreign = await inTurn([
          // Another cluster, with a claim of the same UID even; half of our tags; none; manifests of another cluster.
          () => bed.backup(daily, day(1), { tags: bed.tags(daily, 'other') }),
          () => bed.backup(daily, day(2), { tags: bed.tags(daily, 'other') }),
          () => bed.backup(elsewhere, day(1), { tags: bed.tags(elsewhere).slice(0, 4) }),
          () => bed.backup(elsewhere, day(2), { tags: [] }),
          () => bed.manifests(day(1), { tags: ['cluster=other', 'kind=manifests'] }),
          () => bed.manifests(day(1), { tags: [`cluster=${bed.cluster}`, 'kind=manifests', 'mine'] }),
        ]);
        manifests = await inTurn(
          ['2025-11-01 12:00:00', '2025-11-03 12:00:00', day(1), day(2), day(3), day(4)].map(
            (time) => () => bed.manifests(time),
          ),
        );
      },
    ]),
  ]);
  // What is newer than the marked one may be incomplete: nothing in the repository tells.
  await bed.mark(marked, snapshotsOf(marked)[1] ?? '');
});

function decided({ json }: Answer, { uid }: BedClaim) {
  const claim = json.claims.find((one) => one.uid === uid);
  if (claim === undefined) throw new Error(`nothing about ${uid}`);
  return claim;
}

/** Which of a claim's snapshots go, by their position from the oldest. */
const goneOf = (answer: Answer, claim: BedClaim) =>
  decided(answer, claim).forget.map(({ id }) => snapshotsOf(claim).indexOf(id));

async function copyOf(name: string): Promise<Repository> {
  return bed.repository.copy(path.join(bed.folder, name));
}

describe('what goes, by the rules', () => {
  const dry = (...args: string[]) => bed.prune(['--dry-run', ...args]);

  test('CEPHBACKUP_KEEP_LAST, by claim and never by name', async () => {
    const answer = await bed.prune([], { env: { CEPHBACKUP_KEEP_LAST: '2', CEPHBACKUP_DRY_RUN: 'true' } });
    expect(answer.code).toBe(0);
    expect(goneOf(answer, daily)).toEqual([0, 1, 2]);
    expect(decided(answer, daily)).toMatchObject({ namespace: 'app', pvc: 'daily', exists: true });
    // The claim that had the name before is another one, and exists no more.
    expect(goneOf(answer, predecessor)).toEqual([]);
    expect(goneOf(answer, gone)).toEqual([]);
    expect(decided(answer, gone)).toMatchObject({ exists: false });
  });

  test('--keep-last 1: never the newest, never the one that is marked', async () => {
    const answer = await dry('--keep-last', '1');
    expect(goneOf(answer, marked)).toEqual([0]);
    const [kept, newer] = decided(answer, marked).keep;
    // The rule counts the last proven one; the newer one takes nobody's place.
    expect(kept?.reasons).toEqual([
      'last snapshot',
      'newest of a claim that exists',
      'marked on its PersistentVolume',
    ]);
    expect(newer?.reasons).toEqual(['not proven, and not counted: no newer one is known to be proven']);
  });

  test('--keep-daily keeps the last of each day', async () => {
    const answer = await dry('--keep-daily', '3');
    expect(goneOf(answer, daily)).toEqual([0, 1]);
    expect(decided(answer, daily).keep.map(({ reasons }) => reasons)).toEqual([
      ['daily snapshot'],
      ['daily snapshot'],
      ['daily snapshot', 'newest of a claim that exists'],
    ]);
  });

  test.each([
    ['--keep-hourly', '4', [0]],
    ['--keep-weekly', '1', [0, 1, 2, 3]],
    // In whole hours, rounded up.
    ['--keep-within', '2821m', [0, 1]],
  ])('%s %s', async (option, value, expected) => {
    expect(goneOf(await dry(option, value), daily)).toEqual(expected);
  });

  test('one claim is one group, also where its tags have changed; what has other tags stays', async () => {
    const answer = await dry('--keep-last', '1');
    expect(goneOf(answer, changed)).toEqual([0, 1]);
    expect(goneOf(answer, tagged)).toEqual([1]);
    expect(decided(answer, tagged).keep[0]?.reasons).toEqual(['it has tags of somebody else']);
    expect(answer.json.others).toBe(foreign.length);
  });

  test('--keep-deleted: all of a claim that exists no more, once its newest is old enough', async () => {
    const age = (n: number) =>
      `${Math.floor((Date.now() - Date.parse(`2026-01-0${n}T12:00:00Z`)) / 86_400_000)}d`;
    // The newest of `gone` is of the third day, that of `predecessor` of the second.
    const answer = await dry('--keep-deleted', age(2));
    expect(goneOf(answer, predecessor)).toEqual([0, 1]);
    expect(goneOf(answer, gone)).toEqual([]);
    // Without a rule, claims that exist keep everything.
    expect(goneOf(answer, daily)).toEqual([]);
  });
});

test('what the dry run says is what goes, and nothing else; then there is nothing more to do', async () => {
  const repository = await copyOf('real');
  const args = ['--keep-last', '1', '--keep-deleted', '1d', '--max-unused', '0'];
  const before = ids(await repository.snapshots());
  const dry = await bed.prune(['--dry-run', ...args], { repository });
  expect(ids(await repository.snapshots())).toEqual(before);
  expect(await repository.locks()).toEqual([]);

  const real = await bed.prune(args, { repository });
  expect(real.code).toBe(0);
  expect(real.json.claims).toEqual(dry.json.claims);
  // What is kept is of the first four days; nothing of the November before is.
  expect(real.json.manifests.forget.map(({ id }) => id)).toEqual(manifests.slice(0, 2));
  expect(real.json.manifests).toEqual(dry.json.manifests);
  const announced = [...dry.json.claims, dry.json.manifests].flatMap(({ forget }) => ids(forget));
  expect(announced.length).toBeGreaterThan(10);
  const left = await repository.snapshots();
  expect(ids(left)).toEqual(before.filter((id) => !announced.includes(id)));
  expect(ids(left)).toEqual(expect.arrayContaining(foreign));

  // Each claim that exists has its newest; one that exists no more has nothing.
  for (const claim of [daily, marked, changed, tagged])
    expect(ids(left)).toContain(snapshotsOf(claim).at(-1));
  expect(ids(left)).not.toEqual(expect.arrayContaining(snapshotsOf(gone).slice(-1)));
  // Bytes that are in one snapshot only, as many as were forgotten.
  expect(dry.json.repository.bytesFreed).toBeGreaterThan(announced.length * 15_000);
  expect(real.json.repository).toMatchObject({ snapshots: left.length });
  expect(
    Math.abs((real.json.repository.bytesFreed ?? 0) - (dry.json.repository.bytesFreed ?? 0)),
  ).toBeLessThan(20_000);
  expect(real.json.forgotten).toBe(announced.length);
  await repository.restic('check', '--read-data');
  expect(await repository.locks()).toEqual([]);

  const again = await bed.prune(args, { repository });
  expect(again.code).toBe(0);
  expect(again.json.forgotten).toBe(0);
});

test('--cluster-name: the backups and manifests of that cluster, and no others', async () => {
  const answer = await bed.prune(['--dry-run', '--keep-last', '1', '--cluster-name', 'other']);
  expect(answer.json.claims.map(({ uid, keep, forget }) => [uid, keep.length, forget.length])).toEqual([
    [daily.uid, 1, 1],
  ]);
  expect(answer.json.manifests.keep).toHaveLength(1);
});

test('people get a line for each claim, and the sum', async () => {
  const text = await bed.table(['--dry-run', '--keep-last', '1']);
  const [first = '', second] = snapshotsOf(changed).map((id) => id.slice(0, 8));
  expect(text).toContain('NAMESPACE   PVC');
  expect(text).toMatch(
    new RegExp(`app +changed +${changed.uid} +yes +1 +2 +2026-01-03T12:00:00Z +${first} ${second}\n`),
  );
  expect(text).toMatch(
    /Would forget \d+ backups and 2 snapshots of manifests; 6 snapshots of others are not touched: about/,
  );
});
