import { describe, expect, test } from '@jest/globals';
import { everything, lineOf, lines, now, planOf } from './world.js';

const hour = 3_600_000;
const ago = (hours: number) => new Date(now.getTime() - hours * hour).toISOString();
const group = { group: 'db' };

test.each([
  [' db-1.a_B ', 'db-1.a_B'],
  ['', null],
  ['a/b', null],
  ['-a', null],
  ['a'.repeat(64), null],
])('the annotation %j names the group %j', (value, name) => {
  expect(lineOf({ pvc: { group: value } }).group).toBe(name);
  expect(planOf([{ claim: 'team/data', pvc: { group: value } }]).warnings).toHaveLength(
    name === null ? 1 : 0,
  );
});

describe('a group is backed up together', () => {
  test('as soon as one of its members is due', () => {
    const policy = { ...everything, minAgeMs: 10 * hour };
    const member = (name: string, hours: number | null) => ({
      claim: `team/${name}`,
      pvc: group,
      pv: hours === null ? {} : { 'last-backup': ago(hours) },
    });
    const due = planOf([member('a', 1), member('b', 11)], policy);
    expect(lines(due).sort()).toEqual(['team/a default', 'team/b default']);
    expect(lines(planOf([member('a', 1), member('b', null)], policy)).sort()).toEqual([
      'team/a default',
      'team/b default',
    ]);
    expect(lines(planOf([member('a', 1), member('b', 2)], policy)).sort()).toEqual([
      'team/a recent',
      'team/b recent',
    ]);
    // Another namespace is another group.
    const other = { ...member('a', 11), claim: 'shop/a' };
    expect(lines(planOf([member('a', 1), other], policy)).sort()).toEqual([
      'shop/a default',
      'team/a recent',
    ]);
  });

  test('in one shard, whatever their UIDs are', () => {
    const claims = Array.from({ length: 12 }, (_, index) => ({ claim: `team/c${index}`, pvc: group }));
    const sizes = [0, 1, 2, 3].map((index) => {
      const plan = planOf(claims, { ...everything, shard: { index, count: 4 } });
      return plan.volumes.filter(({ backup }) => backup).length;
    });
    expect(sizes.sort()).toEqual([0, 0, 0, 12]);
  });
});

describe('a member without a part in the moment is told', () => {
  const text = (why: string) =>
    `persistentvolumeclaim/team/b: it has no part in the moment of its group db: ${why}`;

  test.each([
    ['opted out', { pvc: { ...group, backup: 'false' } }, 'it is not backed up (pvc-false)'],
    ['not bound', { pvc: group, phase: 'Pending' }, 'it is not backed up (not-bound)'],
    ['not on Ceph', { pvc: group, spec: { hostPath: {} } }, 'it is not backed up (not-ceph)'],
  ])('%s', (_, entry, why) => {
    expect(
      planOf([
        { claim: 'team/a', pvc: group },
        { claim: 'team/b', ...entry },
      ]).warnings,
    ).toEqual([text(why)]);
  });

  test('left out by what narrows the run', () => {
    const both = [
      { claim: 'team/a', pvc: group },
      { claim: 'team/b', pvc: group },
    ];
    expect(planOf(both, { ...everything, pvcs: ['team/a'] }).warnings).toEqual([
      text('this run leaves it out'),
    ]);
    expect(planOf(both, { ...everything, pvcs: ['other/a'] }).warnings).toEqual([]);
  });

  test('unsupported: it stays selected, and fails the group when it is backed up', () => {
    const nfs = { csi: { driver: 'nfs.csi.ceph.com', volumeHandle: 'x' } };
    const plan = planOf([
      { claim: 'team/a', pvc: group },
      { claim: 'team/b', pvc: group, spec: nfs },
    ]);
    expect(plan.volumes.filter(({ backup }) => backup)).toHaveLength(2);
  });
});
