import { describe, expect, test } from '@jest/globals';
import { neededManifests } from '../../lib/retention/manifests.js';
import { planRetention, type RetentionInput } from '../../lib/retention/plan.js';
import { retention, unusedLimit } from '../../lib/commands/prune/options.js';
import { checkClock } from '../../lib/kube/skew.js';
import { proofNote, proofsHost, proofTags } from '../../lib/repository/proofs.js';
import { lockGuidance, describeLock, parseLock } from '../../lib/tools/restic/locks.js';
import { parseStatistics } from '../../lib/tools/restic/prune.js';
import { decideUnlock } from '../../lib/tools/restic/unlock.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';

const hours = 3_600_000;

describe('manifests that backups need', () => {
  const at = (...times: number[]) => times.map((time) => ({ id: String(time), time: time * hours }));
  const needed = (saved: number[], times: number[], now = 10_000) =>
    [
      ...neededManifests(
        at(...saved),
        times.map((time) => time * hours),
        now * hours,
      ),
    ].map(Number);

  test.each<[string, number[], number[], number[]]>([
    ['none saved', [], [5], []],
    ['the newest ones always, and those of a day before', [1, 9_000, 9_980], [], [9_980]],
    ['the last before a backup, however long before', [1, 100, 9_999], [300], [100, 9_999]],
    ['and those of the hour before that one', [99, 99.5, 100, 9_999], [300], [99, 99.5, 100, 9_999]],
    ['the first after a backup', [100, 400, 401, 9_999], [300], [100, 400, 9_999]],
    [
      'all of a day before and an hour after',
      [270, 276, 299, 300.5, 301, 302, 9_999],
      [300],
      [276, 299, 300.5, 301, 9_999],
    ],
    ['before all that were saved', [400, 500, 9_999], [300], [400, 9_999]],
    ['several backups', [100, 200, 300, 400, 500, 9_999], [210, 410], [200, 300, 400, 500, 9_999]],
  ])('%s', (_, saved, times, expected) => {
    expect(needed(saved, times)).toEqual(expected);
  });
});

describe('the plan', () => {
  const snapshot = (id: string, time: string, tags: string[], hostname = 'h'): ResticSnapshot => ({
    id,
    time,
    tags,
    hostname,
    tree: '',
    paths: [],
    summary: null,
  });
  const tags = (uid: string, cluster = 'c') => [
    `cluster=${cluster}`,
    'namespace=a',
    'pvc=b',
    `uid=${uid}`,
    'pv=',
    'kind=cephfs',
  ];
  const forgotten = (input: Partial<RetentionInput>) =>
    planRetention({
      snapshots: [],
      cluster: 'c',
      living: new Set(['u']),
      marked: new Set(),
      verdicts: new Map((input.snapshots ?? []).map(({ id }) => [id, { keep: false, reasons: [] }])),
      keepDeletedMs: null,
      now: Date.parse('2026-02-01T00:00:00Z'),
      ...input,
    }).claims.flatMap(({ forget }) => forget.map(({ id }) => id));
  const three = ['1', '2', '3'].map((id) => snapshot(id, `2026-01-0${id}T00:00:00Z`, tags('u')));

  test('restic would keep nothing: the newest stays all the same', () => {
    expect(forgotten({ snapshots: three })).toEqual(['1', '2']);
  });

  test('what restic said nothing about stays', () => {
    expect(forgotten({ snapshots: three, verdicts: new Map() })).toEqual([]);
  });

  test.each([
    ['a tag less', tags('u').slice(1)],
    ['no pv', tags('u').filter((tag) => tag !== 'pv=')],
    ['a tag more', [...tags('u'), 'x']],
    ['a tag twice', [...tags('u'), 'uid=u']],
    ['one instead of another', [...tags('u').filter((tag) => tag !== 'pv='), 'x=']],
    ['another cluster', tags('u', 'd')],
    ['a prefix of the cluster', tags('u', 'cc')],
  ])('%s: not ours to forget', (_, others) => {
    // Two of them: of one alone it is the newest that would stay.
    const old = ['8', '9'].map((id) => snapshot(id, `2025-01-0${id}T00:00:00Z`, others));
    expect(forgotten({ snapshots: [...old, ...three] })).toEqual(['1', '2']);
  });

  test.each([
    [null, []],
    [28 * 24 * hours, ['1', '2', '3']],
    // To the second: as old as that is not older.
    [29 * 24 * hours, []],
    [30 * 24 * hours, []],
  ])('a claim that exists no more, --keep-deleted %s', (keepDeleted, expected) => {
    expect(forgotten({ snapshots: three, living: new Set(), keepDeletedMs: keepDeleted })).toEqual(expected);
    expect(forgotten({ snapshots: three, living: new Set(['v']), keepDeletedMs: keepDeleted })).toEqual(
      expected,
    );
  });

  test('a claim that exists no more keeps the image of its last days as long as a backup of them', () => {
    const tree = '0'.repeat(64);
    const at = (letter: string, time: string) => ({
      ...snapshot(letter.repeat(64), time, tags('u')),
      tree,
    });
    const [files, image] = [at('1', '2026-01-01T00:00:00Z'), at('2', '2026-01-30T00:00:00Z')];
    const excludes = [proofNote('proven', files), proofNote('image', image)];
    const record = {
      ...snapshot('3'.repeat(64), '2026-01-31T00:00:00Z', proofTags('c'), proofsHost),
      excludes,
    };
    const gone = { snapshots: [files, image, record], living: new Set<string>() };
    expect(forgotten({ ...gone, keepDeletedMs: 10 * 24 * hours })).toEqual([]);
    expect(forgotten({ ...gone, keepDeletedMs: 24 * hours })).toEqual([files.id, image.id]);
  });
});

test('durations as they are meant: no minutes, and m is no month', () => {
  expect(retention('7d')).toEqual({ value: 7 * 24 * hours });
  expect(retention('1s')).toEqual({ value: 1000 });
  expect(retention('90m')).toEqual({ value: 1.5 * hours });
  for (const wrong of ['6m', '1y', '2y5m', '7']) expect(retention(wrong)).toHaveProperty('expected');
  expect(unusedLimit('5%')).toEqual({ value: '5%' });
  expect(unusedLimit('1GiB')).toEqual({ value: '1073741824' });
  for (const wrong of ['5', '101%', '1G', '']) expect(unusedLimit(wrong)).toHaveProperty('expected');
});

test('a clock that differs by more than 5 minutes, whichever is ahead, or by 30 seconds', () => {
  const server = Date.parse('2026-01-01T00:00:00Z');
  const check = (local: number) => () => {
    const warnings: string[] = [];
    checkClock({ server, local: server + local }, (text) => warnings.push(text));
    return warnings.length;
  };
  for (const quiet of [0, 30_999, -30_000]) expect(check(quiet)()).toBe(0);
  for (const warned of [31_001, -30_001, 300_999, -300_000]) expect(check(warned)()).toBe(1);
  expect(check(301_001)).toThrow(
    'it is 2026-01-01T00:05:01Z here, but 2026-01-01T00:00:00Z for the Kubernetes API',
  );
  expect(check(-300_001)).toThrow();
  const warnings: string[] = [];
  checkClock(null, (text) => warnings.push(text));
  expect(warnings).toHaveLength(1);
});

describe('a lock', () => {
  const text = (age: string) =>
    `unable to create lock in backend: repository is already locked exclusively by PID 9329 on node-7 by root (UID 0, GID 0)\nlock was created at 2026-11-24 22:33:11 (${age} ago)\nstorage ID 9d582c39`;

  test.each([
    ['5.109535682s', 5],
    ['7m12.31s', 432],
    ['26h3m0.5s', 93_781],
  ])('of %s ago', (age, seconds) => {
    const lock = {
      exclusive: true,
      pid: 9329,
      host: 'node-7',
      time: '2026-11-24 22:33:11',
      ageSeconds: seconds,
    };
    expect(parseLock(text(age))).toEqual(lock);
    // As within a JSON message.
    expect(parseLock(JSON.stringify({ message: text(age) }))).toEqual(lock);
    expect(describeLock(lock)).toContain('locked exclusively by process 9329 on node-7');
    expect(describeLock(lock)).toContain('2026-11-24T22:33:11Z');
  });

  test('may be removed when restic itself takes it for dead, and from elsewhere only', () => {
    const lock = { exclusive: false, pid: 1, host: 'node-7', time: '', ageSeconds: 1_799 };
    expect(lockGuidance(lock)).toMatch(/^Wait until it is done/);
    expect(lockGuidance({ ...lock, ageSeconds: 1_801 })).toMatch(/^It shows no sign of life any more/);
    expect(lockGuidance(lock)).toContain('`restic unlock` on a machine that is not named node-7');
  });
});

test('what restic says of its work', () => {
  const text = 'total prune:         4 blobs / 586.525 KiB\nremaining:            6 blobs / 1.500 GiB\n';
  expect(parseStatistics(text)).toEqual({ freed: 600_602, remaining: 1.5 * 2 ** 30 });
  expect(parseStatistics('total prune: 0 blobs / 0 B\n')).toEqual({ freed: 0, remaining: null });
  expect(parseStatistics('total prune: many')).toEqual({ freed: null, remaining: null });
});

test.each([
  [
    'nothing is stale',
    [
      ['a', 0],
      ['b', 29],
    ],
    null,
  ],
  ['a stale one of another host', [['b', 31]], true],
  [
    'one that is alive, beside',
    [
      ['b', 31],
      ['c', 1],
    ],
    true,
  ],
  [
    'somebody alive, or just killed, with our host name',
    [
      ['b', 31],
      ['a', 1],
    ],
    false,
  ],
  ['a stale one with our host name', [['a', 31]], true],
])('--unlock-stale: %s', (_, locks, expected) => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const files = locks.map(([host, age]) => ({ host: String(host), time: now - Number(age) * 60_000 }));
  const { unlock, because } = decideUnlock(files, 'a', now);
  expect(unlock).toBe(expected === true);
  expect(because === null).toBe(expected === null);
});
