import { describe, expect, test } from '@jest/globals';
import { asCephbackupError } from '../../lib/errors/error.js';
import { backupsOf, groupByClaim, type Backup } from '../../lib/repository/claims.js';
import { chooseBackup, type Wanted } from '../../lib/repository/choose.js';
import { clusterScope } from '../../lib/repository/clusters.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';

let number = 0;
const backup = (time: string, fields: Partial<Backup> = {}): Backup => ({
  id: (++number).toString(16).padStart(4, '0').repeat(16),
  time: Date.parse(time),
  cluster: 'c1',
  namespace: 'web',
  pvc: 'data',
  uid: 'u1',
  pv: 'pv-1',
  kind: 'rbd-filesystem',
  sizeBytes: 1,
  proof: 'proven',
  ...fields,
});
const wanted = (fields: Partial<Wanted> = {}): Wanted => ({
  namespace: 'web',
  pvc: 'data',
  uid: null,
  snapshot: null,
  asOf: null,
  ...fields,
});
const errorOf = (action: () => unknown) => {
  try {
    action();
  } catch (thrown) {
    return asCephbackupError(thrown);
  }
  throw new Error('nothing was thrown');
};
const quiet = () => undefined;
const c1 = clusterScope('c1', null, []);

describe('the time', () => {
  const first = backup('2026-01-01T10:00:00Z');
  const second = backup('2026-01-02T10:00:00Z');
  const all = [second, first];

  test('latest is the newest, whatever the order of the repository', () => {
    expect(chooseBackup(all, wanted(), c1, quiet)).toBe(second);
    expect(chooseBackup(all, wanted({ snapshot: 'latest' }), c1, quiet)).toBe(second);
  });

  test.each([
    ['2026-01-02T10:00:01Z', second],
    ['2026-01-02T10:00:00Z', second],
    ['2026-01-02T09:59:59Z', first],
    ['2026-01-01T10:00:00Z', first],
  ])('as of %s', (time, expected) => {
    expect(chooseBackup(all, wanted({ asOf: Date.parse(time) }), c1, quiet)).toBe(expected);
  });

  test('of a release that kept no record: taken, and said that nobody knows whether it is complete', () => {
    const untold = backup('2026-01-03T10:00:00Z', { proof: 'untold' });
    const said: string[] = [];
    const tell = (text: string) => said.push(text);
    expect(chooseBackup([...all, untold], wanted(), c1, tell)).toBe(untold);
    expect(said).toEqual([expect.stringContaining('kept no record of what it proved')]);
    chooseBackup(all, wanted(), c1, tell);
    expect(said).toHaveLength(1);
  });

  test('before the oldest there is nothing', () => {
    const error = errorOf(() =>
      chooseBackup(all, wanted({ asOf: Date.parse('2026-01-01T09:59:59Z') }), c1, quiet),
    );
    expect(error.code).toBe('SNAPSHOT_NOT_FOUND');
    expect(error.message).toContain('2026-01-01T10:00:00Z');
  });
});

describe('claims of one name', () => {
  const old = backup('2026-01-01T10:00:00Z', { uid: 'u-old' });
  const young = backup('2026-01-02T10:00:00Z', { uid: 'u-young' });
  const all = [old, young];

  test('are never chosen silently', () => {
    for (const fields of [{}, { snapshot: 'latest' }, { asOf: old.time }]) {
      const error = errorOf(() => chooseBackup(all, wanted(fields), c1, quiet));
      expect(error.code).toBe('CLAIM_AMBIGUOUS');
      expect(error.message).toContain('u-old');
      expect(error.message).toContain('u-young');
    }
  });

  test('--uid or a snapshot id says which', () => {
    expect(chooseBackup(all, wanted({ uid: 'u-old' }), c1, quiet)).toBe(old);
    expect(chooseBackup(all, wanted({ snapshot: old.id.slice(0, 8) }), c1, quiet)).toBe(old);
    expect(chooseBackup(all, wanted({ uid: 'u-young', snapshot: young.id }), c1, quiet)).toBe(young);
  });

  test('an id of another claim is refused, and named', () => {
    const other = backup('2026-01-03T10:00:00Z', { namespace: 'db', uid: 'u-db' });
    for (const fields of [{ snapshot: other.id }, { uid: 'u-old', snapshot: young.id }]) {
      const error = errorOf(() => chooseBackup([...all, other], wanted(fields), c1, quiet));
      expect(error.code).toBe('SNAPSHOT_NOT_FOUND');
      expect(error.message).toMatch(/u-db|u-young/);
    }
  });

  test('an unknown UID is answered with those that there are', () => {
    const error = errorOf(() => chooseBackup(all, wanted({ uid: 'u-no' }), c1, quiet));
    expect(error.message).toContain('u-old');
  });
});

describe('what is not proven', () => {
  const files = backup('2026-01-01T10:00:00Z');
  const stray = backup('2026-01-02T10:00:00Z', { proof: 'unproven' });
  const image = backup('2026-01-03T10:00:00Z', { proof: 'image' });
  const all = [files, stray, image];
  const said = (fields: Partial<Wanted>) => {
    const warnings: string[] = [];
    const chosen = chooseBackup(all, wanted(fields), c1, (text) => warnings.push(text));
    return { chosen, warnings };
  };

  test('is passed over, and named', () => {
    const { chosen, warnings } = said({});
    expect(chosen).toBe(files);
    expect(warnings.map((text) => /snapshot (\w+) .* --snapshot \1 /.exec(text)?.[1]).toSorted()).toEqual(
      [stray, image].map(({ id }) => id.slice(0, 8)),
    );
  });

  test('is taken where it is named, and said to be what it is', () => {
    expect(said({ snapshot: files.id })).toEqual({ chosen: files, warnings: [] });
    expect(said({ snapshot: stray.id })).toEqual({
      chosen: stray,
      warnings: [expect.stringMatching(/is not proven: it may be incomplete or wrong$/)],
    });
    expect(said({ snapshot: image.id })).toEqual({
      chosen: image,
      warnings: [expect.stringMatching(/the whole disk, of a filesystem that could not be mended$/)],
    });
  });
});

test('a beginning that several snapshots have in common is refused', () => {
  const twins = ['a', 'b'].map((end) => backup('2026-01-01T10:00:00Z', { id: `cafe${end.repeat(60)}` }));
  expect(errorOf(() => chooseBackup(twins, wanted({ snapshot: 'cafe' }), c1, quiet)).message).toBe(
    'several snapshots of web/data begin with cafe',
  );
  expect(chooseBackup(twins, wanted({ snapshot: 'cafeb' }), c1, quiet)).toBe(twins[1]);
});

test('a claim of the same name in another namespace is another one', () => {
  const [mine, other] = [{}, { namespace: 'db' }].map((fields) => backup('2026-01-01T10:00:00Z', fields));
  expect(chooseBackup([mine, other] as Backup[], wanted(), c1, quiet)).toBe(mine);
});

describe('clusters', () => {
  const mine = backup('2026-01-01T10:00:00Z');
  const theirs = backup('2026-01-02T10:00:00Z', { cluster: 'c2', uid: 'u2' });
  const all = [mine, theirs];
  const present = ['c1', 'c2'];

  test('the own one by default, another one when it is asked for', () => {
    expect(chooseBackup(all, wanted(), clusterScope(null, 'c1', present), quiet)).toBe(mine);
    expect(chooseBackup(all, wanted(), clusterScope('c2', 'c1', present), quiet)).toBe(theirs);
  });

  test('a rebuilt cluster is told where its backups are', () => {
    const error = errorOf(() => chooseBackup(all, wanted(), clusterScope(null, 'c3', present), quiet));
    expect(error.code).toBe('SNAPSHOT_NOT_FOUND');
    expect(error.message).toContain('--cluster "c1" or --cluster "c2"');
    const byId = errorOf(() => chooseBackup(all, wanted({ snapshot: theirs.id }), c1, quiet));
    expect(byId.message).toContain('--cluster "c2"');
  });

  test('without an API all, if they are one', () => {
    expect(chooseBackup([mine], wanted(), clusterScope(null, null, ['c1']), quiet)).toBe(mine);
    const error = errorOf(() => clusterScope(null, null, present));
    expect(error.code).toBe('CLUSTER_UNCLEAR');
    expect(error.message).toContain('--cluster');
  });

  test('claims of one name in two clusters are two claims', () => {
    const scope = clusterScope('all', null, present);
    expect(errorOf(() => chooseBackup(all, wanted(), scope, quiet)).code).toBe('CLAIM_AMBIGUOUS');
    expect(chooseBackup(all, wanted({ uid: 'u2' }), scope, quiet)).toBe(theirs);
  });
});

describe('reading snapshots', () => {
  const snapshot = (tags: string[]): ResticSnapshot => ({
    id: 'a'.repeat(64),
    time: '2026-01-01T12:00:00+02:00',
    tree: 't',
    paths: [],
    hostname: 'h',
    tags,
    summary: { filesProcessed: 1, directories: 0, bytesProcessed: 5 },
  });
  const tags = ['cluster=c', 'namespace=n', 'pvc=p', 'uid=u', 'pv=', 'kind=cephfs'];

  test('by their tags; times in UTC', () => {
    expect(backupsOf([snapshot(tags)], null)).toEqual([
      {
        id: 'a'.repeat(64),
        time: Date.parse('2026-01-01T10:00:00Z'),
        cluster: 'c',
        namespace: 'n',
        pvc: 'p',
        uid: 'u',
        pv: null,
        kind: 'cephfs',
        sizeBytes: 5,
        proof: 'untold',
      },
    ]);
  });

  test('those of other programs, and manifests, are no backups', () => {
    expect(
      backupsOf([snapshot([]), snapshot(['cluster=c', 'kind=manifests']), snapshot(tags.slice(1))], null),
    ).toEqual([]);
  });

  test('claims by name, claims of one name by age, snapshots oldest first', () => {
    const claims = groupByClaim([
      backup('2026-01-05T00:00:00Z', { uid: 'u2' }),
      backup('2026-01-02T00:00:00Z'),
      backup('2026-01-01T00:00:00Z'),
      backup('2026-01-09T00:00:00Z', { namespace: 'db', uid: 'u3' }),
    ]);
    expect(claims.map(({ uid }) => uid)).toEqual(['u3', 'u1', 'u2']);
    expect(claims[1]?.backups.map(({ time }) => new Date(time).getUTCDate())).toEqual([1, 2]);
  });
});
