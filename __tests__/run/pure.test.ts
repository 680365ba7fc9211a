import { describe, expect, test } from '@jest/globals';
import { catalogue, type ErrorCode } from '../../lib/errors/catalogue.js';
import { CephbackupError } from '../../lib/errors/error.js';
import { History, pointInTime } from '../../lib/repository/history.js';
import { silent } from '../../lib/log/logger.js';
import { exitCode } from '../../lib/errors/exit-code.js';
import {
  installationId,
  isScratchName,
  objectName,
  objectNumbers,
  ownerOf,
  scratchName,
} from '../../lib/ownership/names.js';
import { Scope } from '../../lib/ownership/scope.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';

describe('names', () => {
  test('the installation is the first 8 hex digits of a SHA-256', () => {
    // printf %s 'u-1/backup/cephbackup.hpc.nyu.edu' | sha256sum
    expect(installationId('u-1', 'backup', 'cephbackup.hpc.nyu.edu')).toMatch(/^[0-9a-f]{8}$/);
    expect(installationId('u-1', 'backup', 'x')).not.toBe(installationId('u-1', 'other', 'x'));
  });

  test('an object tells its owner, and nothing else passes for one', () => {
    const owner = { installation: '0123abcd', run: '89abcdef' };
    expect(ownerOf(objectName('0123abcd', '89abcdef', 12))).toEqual(owner);
    expect(ownerOf(scratchName('0123abcd', '89abcdef', 12))).toEqual(owner);
    expect(isScratchName(scratchName('0123abcd', '89abcdef', 12))).toBe(true);
    expect(isScratchName(objectName('0123abcd', '89abcdef', 12))).toBe(false);
    for (const name of [
      'csi-vol-1',
      'cephbackup-0123abcd-89abcdef-',
      'cephbackup-0123abcd-89abcdef-1x',
      'cephbackup-0123abcd-89abcdef-1-scratch-1',
      'mine-scratch',
      'xcephbackup-0123abcd-89abcdef-1',
    ])
      expect(ownerOf(name)).toBeNull();
  });

  test('numbers of a run’s members never meet', () => {
    const of = (ordinal: number) => {
      const numbers = objectNumbers(ordinal);
      return Array.from({ length: 50 }, () => numbers.next().value);
    };
    const all = [0, 1, 2].flatMap(of);
    expect(new Set(all).size).toBe(150);
    expect(all[0]).toBe(1);
  });
});

describe('point in time', () => {
  test.each([
    { now: 5_999, newest: null, time: 5_000, adjusted: false },
    { now: 5_999, newest: 4_000, time: 5_000, adjusted: false },
    { now: 5_999, newest: 5_000, time: 6_000, adjusted: true },
    { now: 5_999, newest: 90_500, time: 91_000, adjusted: true },
  ])('$now after $newest', ({ now, newest, time, adjusted }) => {
    expect(pointInTime(now, newest === null ? null : { id: 'a', time: newest })).toEqual({ time, adjusted });
  });

  test('a snapshot more than an hour in the future is not followed', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const of = (newest: string) => () => pointInTime(now, { id: 'abc', time: Date.parse(newest) });
    expect(of('2026-01-01T01:00:00Z')).not.toThrow();
    expect(of('2026-01-01T01:00:01Z')).toThrow(
      'the newest snapshot of the claim, abc, is of 2026-01-01T01:00:01Z',
    );
  });
});

describe('history', () => {
  const snapshot = (id: string, uid: string, time: string): ResticSnapshot => ({
    id,
    time,
    tree: 't',
    paths: [],
    hostname: 'h',
    tags: [`uid=${uid}`],
    summary: null,
  });
  const history = new History([
    snapshot('a', 'u1', '2026-01-01T00:00:00Z'),
    snapshot('b', 'u1', '2026-01-02T00:00:00Z'),
    snapshot('c', 'u2', '2026-01-03T00:00:00Z'),
  ]);

  test('only the marked snapshot is a parent, and only of its own claim', () => {
    expect(history.proven('u1', 'a')?.id).toBe('a');
    expect(history.proven('u1', null)).toBeNull();
    expect(history.proven('u1', 'c')).toBeNull();
    expect(history.proven('u3', 'a')).toBeNull();
  });

  test('the newest counts, marked or not', () => {
    expect(history.newest('u1')).toEqual({ id: 'b', time: Date.parse('2026-01-02T00:00:00Z') });
    expect(history.newest('u3')).toBeNull();
  });
});

describe('exit code', () => {
  const error = (code: ErrorCode) => new CephbackupError(code, 'x');
  test.each<[number, 'SIGTERM' | 'SIGINT' | null, ErrorCode[], number]>([
    [0, null, [], 0],
    [5, null, [], 1],
    [1, null, ['MAP_FAILED'], 1],
    [3, null, ['MAP_FAILED', 'REPOSITORY_LOCKED'], 1],
    [4, null, ['RUN_IN_PROGRESS', 'KUBE_UNREACHABLE'], 0],
    [2, null, ['USAGE', 'RUN_IN_PROGRESS'], 0],
    [143, 'SIGTERM', ['USAGE', 'CANCELLED'], 1],
    [130, 'SIGINT', [], 0],
  ])('%i', (code, signal, errors, leftovers) => {
    expect(exitCode(signal, errors.map(error), Array<null>(leftovers).fill(null))).toBe(code);
  });

  test('every code has guidance that ends as a sentence does', () => {
    for (const { guidance } of Object.values(catalogue)) expect(guidance).toMatch(/[.`]$/);
  });
});

describe('scope', () => {
  const resource = (name: string) => ({ kind: 'clone' as const, name, cluster: null });

  test('releases in reverse', async () => {
    const scope = new Scope('node', silent);
    const released: string[] = [];
    for (const name of ['snapshot', 'clone', 'mount']) {
      scope.add(resource(name), () => Promise.resolve(void released.push(name)));
    }
    expect(await scope.release()).toEqual([]);
    expect(released).toEqual(['mount', 'clone', 'snapshot']);
  });

  test('stops at the first release that fails, names all that is left, and can try again', async () => {
    const scope = new Scope('node', silent);
    const released: string[] = [];
    let busy = true;
    scope.add(resource('snapshot'), () => Promise.resolve(void released.push('snapshot')));
    scope.add(null, () => Promise.resolve());
    scope.add(resource('mapping'), () => (busy ? Promise.reject(new Error('busy')) : Promise.resolve()));
    scope.add(resource('mount'), () => Promise.resolve(void released.push('mount')));
    expect(await scope.release()).toEqual([
      { ...resource('mapping'), node: 'node', reason: 'busy' },
      { ...resource('snapshot'), node: 'node', reason: 'kept because mapping could not be removed' },
    ]);
    expect(released).toEqual(['mount']);
    busy = false;
    expect(await scope.release()).toEqual([]);
    expect(released).toEqual(['mount', 'snapshot']);
  });
});
