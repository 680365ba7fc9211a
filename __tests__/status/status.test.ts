import { describe, expect, test } from '@jest/globals';
import { statusOf, type StatusRequest } from '../../lib/plan/status.js';
import { crossCheck } from '../../lib/repository/cross-check.js';
import { proofNote, proofsHost, proofTags } from '../../lib/repository/proofs.js';
import { statusTable } from '../../lib/commands/status/table.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';
import { now, planOf, prefix, type Entry } from '../plan/world.js';

const hour = 3_600_000;
const ago = (hours: number) => new Date(now.getTime() - hours * hour).toISOString();
const id = (digit: string) => digit.repeat(64);

function status(entries: Entry[], request: Partial<StatusRequest> = {}) {
  return statusOf(planOf(entries), { prefix, now, maxAgeMs: 26 * hour, stored: null, ...request });
}

function one(entry: Omit<Entry, 'claim'>, request: Partial<StatusRequest> = {}) {
  const [claim] = status([{ claim: 'team/data', ...entry }], request).volumes;
  if (claim === undefined) throw new Error('the claim is not listed');
  return claim;
}

describe('the state of a claim', () => {
  test.each([
    ['backed up at the limit', { 'last-backup': ago(26) }, 'ok'],
    ['backed up a second before', { 'last-backup': ago(26 + 1 / 3600) }, 'stale'],
    ['never backed up', {}, 'never'],
    ['with an unreadable time', { 'last-backup': 'yesterday' }, 'never'],
    ['with another claim’s backup', { 'last-backup': ago(1), 'last-backup-claim': 'other' }, 'never'],
    ['opted out, whatever its age', { backup: 'false', 'last-backup': ago(99) }, 'not-covered'],
  ])('%s', (_, pv, expected) => {
    expect(one({ pv }).state).toBe(expected);
  });

  test('without --max-age no backup is stale', () => {
    expect(one({ pv: { 'last-backup': ago(999) } }, { maxAgeMs: null })).toMatchObject({
      state: 'ok',
      ageSeconds: 999 * 3600,
    });
  });

  test('a clock that is a little ahead gives no negative age', () => {
    expect(one({ pv: { 'last-backup': ago(-0.5) } }).ageSeconds).toBe(0);
  });
});

describe('the last attempt', () => {
  test('says what failed and what to do', () => {
    const claim = one({
      pv: {
        'last-backup': ago(30),
        'last-attempt': ago(2),
        'last-error': 'POOL_FULL',
        'last-verified': ago(50),
      },
    });
    expect(claim).toMatchObject({
      state: 'stale',
      lastBackup: '2025-06-14T06:00:00Z',
      ageSeconds: 30 * 3600,
      lastAttempt: '2025-06-15T10:00:00Z',
      lastError: 'POOL_FULL',
      lastVerified: '2025-06-13T10:00:00Z',
    });
    expect(claim.guidance).toContain('ceph df');
  });

  test('an unknown code has no guidance, and none is invented from Object’s own properties', () => {
    expect(one({ pv: { 'last-error': 'constructor' } })).toMatchObject({
      lastError: 'constructor',
      guidance: null,
    });
  });

  test('nothing is inherited from the claim that had the volume before', () => {
    const old = {
      'last-backup': ago(5),
      'last-backup-claim': 'other',
      'last-snapshot': id('a'),
      'last-attempt': ago(5),
      'last-error': 'POOL_FULL',
      'last-verified': ago(5),
    };
    expect(one({ pv: old })).toMatchObject({
      lastBackup: null,
      lastSnapshot: null,
      lastAttempt: null,
      lastError: null,
      lastVerified: null,
    });
  });
});

test('says of each claim that is not covered why, and who opted it out', () => {
  const { volumes, totals } = status([
    { claim: 'a/by-volume', pv: { backup: 'false' } },
    { claim: 'b/by-namespace', namespace: { backup: 'false' } },
    { claim: 'c/by-claim', pvc: { backup: 'false' } },
    { claim: 'd/local', spec: { hostPath: { path: '/srv' } } },
    { claim: 'e/nfs', spec: { csi: { driver: 'nfs.csi.ceph.com', volumeHandle: 'x' } } },
    { claim: 'f/lost', spec: null },
    { claim: 'g/pending', phase: 'Pending' },
    { claim: 'h-nspvc-a/b', pv: { 'last-backup': ago(1) } },
    { claim: 'h/a-nspvc-b', pv: { 'last-backup': ago(1) } },
    { claim: 'i/fine', pv: { 'last-backup': ago(1) } },
  ]);
  const found = volumes.map(({ pvc, covered, reason, optedOutBy, why }) => [
    pvc,
    covered,
    reason,
    optedOutBy,
    why === null,
  ]);
  expect(Object.fromEntries(found.map(([pvc, ...rest]) => [pvc, rest]))).toEqual({
    'by-volume': [false, 'pv-false', 'pv', false],
    'by-namespace': [false, 'namespace-false', 'namespace', false],
    'by-claim': [false, 'pvc-false', 'pvc', false],
    local: [false, 'not-ceph', null, false],
    nfs: [false, 'unsupported', null, false],
    lost: [false, 'claim-mismatch', null, false],
    pending: [false, 'not-bound', null, false],
    b: [false, 'host-collision', null, false],
    'a-nspvc-b': [false, 'host-collision', null, false],
    fine: [true, 'default', null, true],
  });
  // What is to be backed up and cannot be is never backed up, and not covered.
  expect(totals).toEqual({
    claims: 10,
    selected: 4,
    ok: 3,
    stale: 0,
    never: 1,
    missing: 0,
    failed: 0,
    notCovered: 9,
    sizeBytes: 4 * 2 ** 30,
    oldestBackup: '2025-06-15T11:00:00Z',
    oldestAgeSeconds: 3600,
  });
});

describe('compared with the repository', () => {
  const snapshot = (digit: string, hours: number, tags: string[] = []): ResticSnapshot => ({
    id: id(digit),
    time: ago(hours),
    tree: id('f'),
    paths: ['/'],
    hostname: 'k8s-team-nspvc-data',
    tags: ['cluster=here', 'uid=uid-of-team/data', ...tags],
    summary: { filesProcessed: 1, directories: 1, bytesProcessed: 77 },
  });
  const marked = {
    'last-backup': ago(5),
    'last-backup-claim': 'uid-of-team/data',
    'last-snapshot': id('a'),
  };
  const check = (snapshots: ResticSnapshot[], pv: Record<string, string>) =>
    one({ pv }, { stored: crossCheck(snapshots, marksOf(pv), prefix) });
  const marksOf = (pv: Record<string, string>) => ({
    cluster: 'here',
    ids: new Set(Object.entries(pv).flatMap(([key, value]) => (key === 'last-snapshot' ? [value] : []))),
  });

  test('a mark and its snapshot are fine', () => {
    expect(check([snapshot('b', 9), snapshot('a', 5)], marked)).toMatchObject({
      state: 'ok',
      repository: {
        snapshots: 2,
        newestSnapshot: id('a'),
        newestTime: '2025-06-15T07:00:00Z',
        sizeBytes: 77,
        problem: null,
      },
    });
  });

  test('a mark without its snapshot is no backup', () => {
    expect(check([snapshot('b', 9)], marked)).toMatchObject({
      state: 'missing',
      repository: { problem: 'mark-without-snapshot' },
    });
  });

  test('a mark that names no snapshot, as of a predecessor, needs one all the same', () => {
    const unnamed = { 'last-backup': ago(5), 'last-backup-claim': 'uid-of-team/data' };
    expect(check([], unnamed)).toMatchObject({
      state: 'missing',
      repository: { problem: 'mark-without-snapshot' },
    });
    expect(check([snapshot('a', 5)], unnamed)).toMatchObject({ state: 'ok' });
  });

  test('a snapshot that restic has copied or rewritten is still the one that was marked', () => {
    expect(check([{ ...snapshot('e', 5), original: id('a') }], marked)).toMatchObject({
      state: 'ok',
      repository: { problem: null },
    });
  });

  /** A run's record, in the repository. */
  const record = (...notes: string[]): ResticSnapshot => ({
    ...snapshot('d', 1),
    hostname: proofsHost,
    tags: proofTags('here'),
    excludes: notes,
  });

  test('a newer one that was proven, and whose mark was not written, is a backup like any other', () => {
    const newer = snapshot('c', 1);
    expect(check([snapshot('a', 5), newer, record(proofNote('proven', newer))], marked)).toMatchObject({
      repository: { newestSnapshot: id('c'), problem: null },
    });
  });

  test('what was proven and has another tree by now is none', () => {
    const old = snapshot('a', 5);
    const changed = { ...snapshot('e', 5), original: id('a'), tree: id('9') };
    expect(check([changed, record(proofNote('proven', old))], marked)).toMatchObject({
      state: 'missing',
      repository: { problem: 'mark-without-snapshot' },
    });
  });

  test('another cluster’s or another claim’s snapshot does not stand for it', () => {
    const elsewhere = { ...snapshot('a', 5), tags: ['cluster=there', 'uid=uid-of-team/data'] };
    const other = { ...snapshot('a', 5), tags: ['cluster=here', 'uid=other'] };
    expect(check([elsewhere, other], marked)).toMatchObject({
      state: 'missing',
      repository: { snapshots: 0, newestSnapshot: null },
    });
  });

  test('a newer snapshot without a mark is told, and counts for nothing', () => {
    expect(check([snapshot('a', 5), snapshot('c', 1)], marked)).toMatchObject({
      state: 'ok',
      ageSeconds: 5 * 3600,
      repository: { problem: 'snapshot-without-mark' },
    });
    expect(check([snapshot('c', 1)], {})).toMatchObject({
      state: 'never',
      repository: { problem: 'snapshot-without-mark' },
    });
  });
});

test('the table shows ages, gaps, what to do and sums; no byte of a tenant’s reaches the terminal', () => {
  const report = status([
    { claim: 'team/new' },
    { claim: 'team/old', pv: { 'last-backup': ago(50), 'last-verified': ago(60), 'last-attempt': ago(50) } },
    {
      claim: 'team/evil',
      pv: { 'last-backup': ago(3), 'last-attempt': ago(2), 'last-error': '\u001b[31mX' },
    },
    { claim: 'team/full', pv: { 'last-backup': ago(4), 'last-attempt': ago(1), 'last-error': 'POOL_FULL' } },
    { claim: 'team/scratch', pvc: { backup: 'false' } },
  ]);
  expect(statusTable(report, now)).toBe(`\
NAMESPACE   PVC    KIND             STATE   LAST BACKUP   LAST ATTEMPT   LAST ERROR    VERIFIED   SIZE
team        new    rbd-filesystem   never   <never>       <none>         <none>        <never>    1Gi
team        old    rbd-filesystem   stale   2d2h          2d2h           <none>        2d12h      1Gi
team        full   rbd-filesystem   ok      4h            60m            POOL_FULL     <never>    1Gi
team        evil   rbd-filesystem   ok      3h            120m           \\u001b[31mX   <never>    1Gi

Not covered:
  NAMESPACE   PVC       REASON      WHY
  team        scratch   pvc-false   opted out by the claim itself

What to do:
  team/full: POOL_FULL: The pool or its quota is full: \`ceph df\`, \`ceph osd pool get-quota POOL\`.
  team/evil: \\u001b[31mX: an unknown code

4 to be backed up (4Gi): 2 ok, 1 stale, 1 never; 2 failed in the last attempt; 1 not covered; the oldest backup is of 2025-06-13T10:00:00Z
`);
  expect(statusTable(status([]), now)).toBe('No claims found.\n');
});
