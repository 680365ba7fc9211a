import { beforeAll, expect, test } from '@jest/globals';
import { groupByClaim, type Backup } from '../../lib/repository/claims.js';
import { describeRules, type KeepRules } from '../../lib/retention/keep.js';
import { applyRules, verdictsOf } from '../../lib/retention/rules.js';
import type { Repository } from '../../sandbox/repository.js';
import { Random } from '../plan/random.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';

const hour = 3_600_000;
const none: KeepRules = {
  last: null,
  hourly: null,
  daily: null,
  weekly: null,
  monthly: null,
  yearly: null,
  withinMs: null,
};
const backup = (id: string, time: number, proof: Backup['proof'] = 'proven'): Backup => ({
  id,
  time,
  cluster: 'c',
  namespace: 'n',
  pvc: 'p',
  uid: 'u',
  pv: null,
  kind: 'cephfs',
  sizeBytes: null,
  proof,
});

let repository: Repository;
let backups: Backup[];

beforeAll(async () => {
  repository = await freshRepository();
  const folder = await temporaryFolder('rules');
  const random = new Random(7);
  let time = Date.parse('2023-12-28T22:00:00Z');
  for (let index = 0; index < 24; index += 1) {
    time += random.pick([hour / 2, 5 * hour, 30 * hour, 24 * 9 * hour, 24 * 70 * hour]) + 1000;
    const text = new Date(time).toISOString().slice(0, 19).replace('T', ' ');
    await repository.restic('backup', '--quiet', '--tag', 'x', '--time', text, folder);
  }
  const snapshots = await repository.snapshots();
  backups = snapshots
    .map(({ id, time: at }) => backup(id, Date.parse(at)))
    .toSorted((a, b) => a.time - b.time);
});

// restic is the judge of what its own rules mean: weeks over a turn of the year, and the oldest that fills up a rule.
test('the rules keep what `restic forget` keeps, for the same reasons', async () => {
  const random = new Random(11);
  for (let round = 0; round < 12; round += 1) {
    const some = (most: number) => (random.below(2) === 0 ? null : random.below(most));
    const rules: KeepRules = {
      last: some(4),
      hourly: some(6),
      daily: some(8),
      weekly: some(8),
      monthly: some(8),
      yearly: some(5),
      withinMs: random.below(3) === 0 ? random.below(200) * hour + 1 : null,
    };
    const options = describeRules(rules);
    if (options.length === 0) continue;
    const args = ['forget', '--dry-run', '--json', '--no-lock', '--group-by', 'tags', ...options];
    const [group] = JSON.parse(await repository.restic(...args)) as [
      { keep: { id: string }[]; reasons: { snapshot: { id?: string; time: string }; matches: string[] }[] },
    ];
    const expected = group.keep.map(({ id }, index) => [id, group.reasons[index]?.matches]);
    const kept = [...applyRules(backups, rules, Date.now())].filter(([, { keep }]) => keep);
    expect(kept.map(([id, { reasons }]) => [id, reasons.toSorted()])).toEqual(
      expected.map(([id, matches]) => [id, (matches as string[]).toSorted()]),
    );
  }
});

test('what is not proven takes nobody the place, and what is not known to be proven takes none of a proven one', () => {
  const at = (day: number, h: number) => Date.parse(`2026-01-0${day}T00:00:00Z`) + h * hour;
  const claims = groupByClaim([
    backup('good', at(1, 1)),
    backup('stray', at(1, 13), 'unproven'),
    backup('untold', at(1, 14), 'untold'),
    backup('next', at(2, 1)),
  ]);
  const verdicts = verdictsOf(claims, { ...none, daily: 5 }, at(3, 0));
  expect(
    [...verdicts]
      .filter(([, { keep }]) => keep)
      .map(([id]) => id)
      .toSorted(),
  ).toEqual(['good', 'next', 'untold']);
  expect(verdicts.has('stray')).toBe(false);
});

test('an image of a filesystem that could not be mended takes no backup the place, and goes as a backup of its time would', () => {
  const rules = { ...none, last: 1 };
  const at = (day: number) => Date.parse(`2026-01-0${day}T00:00:00Z`);
  const files = [backup('proven', at(1)), backup('untold', at(2), 'untold')];
  const images = [backup('older', at(3), 'image'), backup('newer', at(4), 'image')];
  const keeps = (backups: Backup[]) =>
    Object.fromEntries(
      [...verdictsOf(groupByClaim(backups), rules, at(9))].map(([id, { keep }]) => [id, keep]),
    );
  const still = { proven: true, untold: true, older: false };
  expect(keeps([...files, ...images])).toEqual({ ...still, newer: true });
  const mended = backup('mended', at(5));
  expect(keeps([...files, ...images, mended])).toEqual({
    ...still,
    proven: false,
    untold: false,
    newer: false,
    mended: true,
  });
});
