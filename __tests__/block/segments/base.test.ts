import { expect, test } from '@jest/globals';
import { diffIsRight, judgeBase, type BaseQuestion } from '../../../lib/volumes/block/segments/base.js';
import { factsTime, imageTime } from '../../../lib/volumes/block/segments/format.js';
import { withSeeds } from '../../qcow2/random.js';

const mib = 1024 ** 2;
const day = 24 * 60 * 60 * 1000;
const facts = { sizeBytes: 64 * mib, segmentBytes: 4 * mib };
const resized = { sizeBytes: 2 ** 40, segmentBytes: 16 * mib };
const other = { sizeBytes: 60 * mib, segmentBytes: 4 * mib };

/** All segments were read at these times, milliseconds since the epoch. */
function parentOf(disk: typeof facts, ...times: number[]) {
  const segments = times.map((time, index) => [
    index,
    { sizeBytes: 4 * mib, mtime: { seconds: Math.floor(time / 1000), nanoseconds: 0 } },
  ]);
  return {
    factsTime: factsTime(disk),
    imageTime: imageTime('image'),
    segments: new Map(
      segments as [number, { sizeBytes: number; mtime: { seconds: number; nanoseconds: number } }][],
    ),
  };
}

const now = Date.parse('2026-11-30T01:00:00Z');
const fine: BaseQuestion = {
  parent: parentOf(facts, now - 1000),
  facts,
  base: facts,
  imageTime: imageTime('image'),
  diffIsRight: true,
  uid: 'a',
  now,
  fullEveryMs: 0,
  failedLast: false,
};

test('a base is used only where nothing speaks against it', async () => {
  const spoiled: Partial<Record<keyof BaseQuestion, unknown>>[] = [
    { parent: null },
    { parent: 'other' },
    // Another disk was backed up than the base has.
    { parent: parentOf(other, now - 1000) },
    { parent: parentOf({ ...facts, segmentBytes: 8 * mib }, now - 1000) },
    { base: null },
    // Another image: migrated, or made anew.
    { imageTime: imageTime('other') },
    { base: other },
    { base: resized },
    { facts: resized },
    { diffIsRight: false },
    { fullEveryMs: 28 * day, parent: parentOf(facts, now - 1000, now - 29 * day) },
  ];
  expect(judgeBase(fine)).toBe('used');
  // An image that has grown is compared with what it was.
  expect(judgeBase({ ...fine, facts: { ...facts, sizeBytes: 80 * mib } })).toBe('used');
  for (const one of spoiled) expect(judgeBase({ ...fine, ...one } as BaseQuestion)).not.toBe('used');
  // Two that fit each other are no reason; these are, whatever else is the case.
  const decisive = spoiled.filter(
    ({ parent = facts, base = facts, diffIsRight: right = true }) =>
      [parent, base].some((one) => one === null || one === 'other') || right === false,
  );
  await withSeeds(200, (random) => {
    const question = { ...fine, ...random.pick(spoiled), ...random.pick(spoiled), ...random.pick(decisive) };
    expect(judgeBase(question as BaseQuestion)).not.toBe('used');
  });
});

test.each<[string, Partial<BaseQuestion>]>([
  ['first', { parent: null, base: null }],
  ['format', { parent: 'other', base: null }],
  ['no-base', { base: null, diffIsRight: false }],
  ['no-base', { base: other }],
  ['no-base', { imageTime: imageTime('other') }],
  ['resized', { facts: resized }],
  ['release', { diffIsRight: false }],
  ['full-every', { fullEveryMs: 7 * day, parent: parentOf(facts, now - 8 * day, now) }],
])('%s is said where it is the reason', (use, question) => {
  expect(judgeBase({ ...fine, ...question })).toBe(use);
});

test('everything is read at least once in each period, by many claims on many days', () => {
  const [period, days, claims] = [28 * day, 90, 200];
  const perDay = Array.from({ length: days }, () => 0);
  for (let claim = 0; claim < claims; claim++) {
    let lastFull = 0;
    for (let today = 0; today < days; today++) {
      const at = now + today * day;
      const use = judgeBase({
        ...fine,
        parent: parentOf(facts, now + lastFull * day, at - day),
        uid: `claim-${claim}`,
        now: at,
        fullEveryMs: period,
      });
      if (today > 0 && use !== 'full-every') continue;
      expect(today - lastFull).toBeLessThanOrEqual(28);
      lastFull = today;
      perDay[today] = (perDay[today] ?? 0) + 1;
    }
  }
  // 200 claims in 28 days: 7 a day.
  expect(Math.max(...perDay.slice(1))).toBeLessThan(25);
});

test('a disk that cannot be read whole has a backup all the same, and is tried again', () => {
  const due = { ...fine, fullEveryMs: 28 * day, parent: parentOf(facts, now - 29 * day) };
  // The full read fails; the next run uses the base; the one after it tries again.
  const uses = [false, true, false, true].map((failedLast) => judgeBase({ ...due, failedLast }));
  expect(uses).toEqual(['full-every', 'used', 'full-every', 'used']);
});

test('a claim that is never read whole is one that asked for it', () => {
  expect(judgeBase({ ...fine, parent: parentOf(facts, 0), fullEveryMs: 0 })).toBe('used');
});

test.each<[string, boolean, boolean]>([
  // [version, right without object maps, with them]
  ['ceph version 14.2.22 (x) nautilus (stable)', false, false],
  ['ceph version 15.2.17 (x) octopus (stable)', false, false],
  ['ceph version 16.2.15 (x) pacific (stable)', false, true],
  ['ceph version 17.2.7 (x) quincy (stable)', false, true],
  ['ceph version 17.2.8 (x) quincy (stable)', true, true],
  ['ceph version 18.2.3 (x) reef (stable)', false, true],
  ['ceph version 18.2.4 (x) reef (stable)', true, true],
  ['ceph version 18.2.7 (x) reef (stable)', true, true],
  ['ceph version 18.3.0 (x) reef (dev)', true, true],
  ['ceph version 19.2.0 (x) squid (stable)', true, true],
  ['ceph version 20.3.0-15-g1 (x) tentacle (dev)', true, true],
  ['ceph version Development (no_version) squid (dev)', false, false],
  ['rbd 20', false, false],
  ['', false, false],
])('diffs of %s', (version, exact, mapped) => {
  expect([diffIsRight(version, false), diffIsRight(version, true)]).toEqual([exact, mapped]);
});
