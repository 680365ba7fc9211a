import { describe, expect, test } from '@jest/globals';
import { isNarrowed } from '../../lib/commands/shared/cluster.js';
import type { Backup } from '../../lib/repository/claims.js';
import { findGroupMoment } from '../../lib/repository/group-moment.js';
import type { Manifests } from '../../lib/repository/manifests.js';

/** A run: when it began, its group's members, and of which it has a proven backup, at which time. */
interface Run {
  at: number;
  members: string[];
  /** Claims that the run knew as members of no group. */
  others?: string[];
  backedUp: Record<string, number>;
  narrowed?: boolean;
}

async function search(runs: Run[], asOf: number | null = null, unproven: string[] = []) {
  const warnings: string[] = [];
  const backups = runs.flatMap(({ backedUp }) =>
    Object.entries(backedUp).map(([pvc, time]) => ({
      id: `${pvc}@${time}`,
      namespace: 'shop',
      pvc,
      uid: pvc,
      time,
      proof: unproven.includes(`${pvc}@${time}`) ? 'unproven' : 'proven',
    })),
  ) as unknown as Backup[];
  const read = (saved: { id: string }) => {
    const run = runs.find(({ at }) => String(at) === saved.id);
    const { members = [], others = ['other'] } = run ?? {};
    const claims = [...members, ...others].map((pvc) => ({
      ...{ namespace: 'shop', pvc, uid: pvc, group: members.includes(pvc) ? 'db' : null },
    }));
    return Promise.resolve({ run: saved.id, narrowed: run?.narrowed, claims } as unknown as Manifests);
  };
  const saved = runs.map(({ at }) => ({ id: String(at), time: at, cluster: 'c' }));
  const warn = (text: string) => warnings.push(text);
  const { time, members } = await findGroupMoment(
    { backups, saved, read, warn },
    { namespace: 'shop', name: 'db' },
    asOf,
  );
  return { time, members: members.map(({ id }) => id), warnings };
}

const both = ['data', 'wal'];

test('options that choose whole namespaces leave groups whole; those that choose claims may not', () => {
  const all = {
    namespaces: ['shop'],
    excludeNamespaces: ['test'],
    pvcs: [],
    selector: null,
    storageClasses: [],
  };
  expect(isNarrowed(all)).toBe(false);
  for (const some of [{ pvcs: ['shop/data'] }, { selector: 'app=db' }, { storageClasses: ['fast'] }])
    expect(isNarrowed({ ...all, ...some })).toBe(true);
});

describe('the moment of a group', () => {
  test('is the newest, or the newest as of a time', async () => {
    const runs = [
      { at: 1000, members: both, backedUp: { data: 2000, wal: 2000 } },
      { at: 5000, members: both, backedUp: { data: 6000, wal: 6000, other: 7000 } },
    ];
    expect(await search(runs)).toEqual({ time: 6000, members: ['data@6000', 'wal@6000'], warnings: [] });
    expect(await search(runs, 5999)).toMatchObject({ time: 2000 });
    await expect(search(runs, 1999)).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  test('that lacks a member is passed over, and says which; without another it is an error that says so', async () => {
    const runs = [
      { at: 1000, members: both, backedUp: { data: 2000, wal: 2000 } },
      { at: 5000, members: both, backedUp: { data: 6000 } },
    ];
    expect(await search(runs)).toMatchObject({
      time: 2000,
      warnings: [
        'passed over: the moment of shop/db of 1970-01-01T00:00:06Z lacks a proven backup of shop/wal',
      ],
    });
    await expect(search(runs.slice(1))).rejects.toMatchObject({
      code: 'GROUP_INCOMPLETE',
      message: expect.stringContaining('shop/wal') as unknown,
    });
  });

  test('is not made up of backups of two moments, nor of what is not proven', async () => {
    const apart = [{ at: 1000, members: both, backedUp: { data: 2000, wal: 3000 } }];
    await expect(search(apart)).rejects.toMatchObject({ code: 'GROUP_INCOMPLETE' });
    const one = [{ at: 1000, members: both, backedUp: { data: 2000, wal: 2000 } }];
    await expect(search(one, null, ['wal@2000'])).rejects.toMatchObject({ code: 'GROUP_INCOMPLETE' });
  });

  test('has the members that it had then', async () => {
    const runs = [
      { at: 1000, members: ['data', 'wal', 'old'], backedUp: { data: 2000, wal: 2000, old: 2000 } },
      { at: 5000, members: both, backedUp: { data: 6000, wal: 6000 } },
    ];
    expect(await search(runs)).toMatchObject({ time: 6000, warnings: [] });
    expect((await search(runs, 4000)).members).toEqual(['data@2000', 'old@2000', 'wal@2000']);
  });

  test('of a run that left out a member is not whole, whatever that run knew', async () => {
    const runs = [
      { at: 1000, members: both, backedUp: { data: 2000, wal: 2000 } },
      { at: 5000, members: ['data'], backedUp: { data: 6000 }, narrowed: true },
    ];
    expect(await search(runs)).toMatchObject({ time: 2000, warnings: [expect.stringContaining('shop/wal')] });
  });

  test('does without a claim that the same run knew as a member no more', async () => {
    const runs = [
      {
        at: 1000,
        members: [...both, 'left'],
        backedUp: { data: 2000, wal: 2000, left: 2000 },
        narrowed: true,
      },
      { at: 5000, members: both, others: ['left'], backedUp: { data: 6000, wal: 6000 }, narrowed: true },
    ];
    expect(await search(runs)).toMatchObject({ time: 6000, warnings: [] });
  });
});
