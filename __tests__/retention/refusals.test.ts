import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { chmod, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { resticProgram } from '../../sandbox/tools.js';
import { Bed, ids, type BedClaim } from './bed.js';

let bed: Bed;
let claim: BedClaim;
let before: string[];

beforeAll(async () => {
  bed = await Bed.create();
  claim = await bed.claim('app', 'data');
  for (const n of [1, 2, 3]) await bed.backup(claim, `2026-01-0${n} 12:00:00`, { bytes: 300_000 });
  before = ids(await bed.repository.snapshots());
});

/** Whatever is refused leaves the repository as it was. */
afterEach(async () => {
  bed.kube.faults.clear();
  expect(ids(await bed.repository.snapshots())).toEqual(before);
  expect(await bed.repository.locks()).toEqual([]);
});

describe('usage', () => {
  test.each([
    ['no rule', []],
    ['rules that keep nothing', ['--keep-last', '0', '--keep-daily', '0']],
    ['a dry run without a rule', ['--dry-run']],
  ])('%s: nothing is ever forgotten by default', async (_, args) => {
    const answer = await bed.prune(args);
    expect(answer.code).toBe(2);
    expect(answer.json.error?.code).toBe('USAGE');
    expect(answer.json.error?.message).toContain('--keep-last');
  });

  test('months are no minutes, and every mistake is named at once', async () => {
    const answer = await bed.prune(['--keep-within', '6m', '--keep-deleted', '1y', '--max-unused', '5']);
    expect(answer.code).toBe(2);
    for (const named of ['--keep-within', 'm are minutes', '--keep-deleted', '--max-unused'])
      expect(answer.json.error?.message).toContain(named);
  });

  test('without a Kubernetes API nobody knows which claims still exist', async () => {
    const env = { KUBECONFIG: '', HOME: bed.folder };
    const answer = await bed.prune(['--keep-last', '1', '--dry-run'], { env });
    expect(answer.code).toBe(2);
    expect(answer.json.error?.code).toBe('KUBECONFIG_INVALID');
    expect(answer.json.error?.message).toContain('which claims still exist is not known');
  });
});

describe('exit 3', () => {
  test('an API that does not let claims be listed', async () => {
    bed.kube.faults.inject({ mode: 403, matches: ({ resource }) => resource === 'persistentvolumeclaims' });
    const answer = await bed.prune(['--keep-last', '1', '--keep-deleted', '1s']);
    expect(answer.code).toBe(3);
    expect(answer.json.error?.code).toBe('KUBE_FORBIDDEN');
  });

  test.each([6 * 60_000, -6 * 60_000])('a clock that differs by %i ms', async (skew) => {
    bed.kube.faults.clockSkew = skew;
    const answer = await bed.prune(['--keep-last', '1']);
    expect(answer.code).toBe(3);
    expect(answer.json.error?.code).toBe('CLOCK_WRONG');
    expect(answer.json.error?.guidance).toContain('NTP');
  });

  test('a snapshot that cannot be read: what it needs is not known', async () => {
    const copy = await bed.repository.copy(path.join(bed.folder, 'damaged'));
    const folder = path.join(copy.env.RESTIC_REPOSITORY, 'snapshots');
    const [name = ''] = await readdir(folder);
    await chmod(path.join(folder, name), 0o600);
    const file = await open(path.join(folder, name), 'r+');
    await file.write(Buffer.alloc(20), 0, 20, 40);
    await file.close();
    // The cache has it still as it was.
    const env = { ...copy.env, RESTIC_CACHE_DIR: path.join(bed.folder, 'new-cache') };
    const answer = await bed.prune(['--keep-last', '1'], { env });
    expect(answer.code).toBe(3);
    expect(answer.json.error).toMatchObject({ code: 'SNAPSHOT_UNREADABLE' });
    expect(answer.json.error?.message).toContain(name);
    expect(await readdir(folder)).toHaveLength(3);
  });

  test('a repository that others use: who, since when, and what to do', async () => {
    const options = ['--read-data', '--limit-download', '1', '--no-cache'];
    const env = { ...process.env, ...bed.repository.env };
    const checking = spawn(resticProgram, ['check', ...options], { env });
    const ended = once(checking, 'close');
    try {
      const locks = path.join(bed.repository.env.RESTIC_REPOSITORY, 'locks');
      while (readdirSync(locks).length === 0) await sleep(1);
      await sleep(100);
      checking.kill('SIGSTOP');
      const answer = await bed.prune(['--keep-last', '1', '--retry-lock', '1s', '--unlock-stale']);
      expect(answer.code).toBe(3);
      expect(answer.json.error?.code).toBe('REPOSITORY_LOCKED');
      expect(answer.json.error?.message).toContain(`by process ${checking.pid ?? 0} on `);
      expect(answer.json.error?.guidance).toContain('`restic unlock` on a machine that is not named');
      expect(answer.json).toMatchObject({ forgotten: 0, claims: [{ uid: claim.uid }] });
      expect(await bed.repository.locks()).toHaveLength(1);
      // What would be done can be said all the same.
      const dry = await bed.prune(['--keep-last', '1', '--dry-run']);
      expect(dry.json.claims[0]?.forget).toHaveLength(2);
    } finally {
      checking.kill('SIGKILL');
      await ended;
      await bed.repository.restic('unlock', '--remove-all');
    }
  });
});

test('restic says that it forgot, and did not: that is seen', async () => {
  const faults = [{ program: 'restic', when: 'forget --retry-lock*', mode: 'lie' as const }];
  const answer = await bed.prune(['--keep-last', '1'], { faults });
  expect(answer.code).toBe(1);
  expect(answer.json).toMatchObject({ forgotten: 0, error: { code: 'RESTIC_FAILED' } });
});
