import { mkdir, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../sandbox/process.js';
import type { Repository } from '../../sandbox/repository.js';
import { resticProgram } from '../../sandbox/tools.js';
import { RestServer, type RestCall } from '../support/rest-server.js';
import { answerOf, Bed, ids, type BedClaim } from './bed.js';

/** Everything that a prune does to a repository, in its order: what it is doing when it is ended. */
const phases: [string, RestCall][] = [
  ['forgetting', { method: 'DELETE', type: 'snapshots' }],
  ['rewriting packs', { method: 'POST', type: 'data' }],
  ['writing the new index', { method: 'POST', type: 'index' }],
  ['removing the old index', { method: 'DELETE', type: 'index' }],
  ['removing old packs', { method: 'DELETE', type: 'data' }],
];
const args = ['--keep-last', '2', '--max-unused', '0'];

let bed: Bed;
let claim: BedClaim;
/** Ids, oldest first. */
const made: string[] = [];
const kept = () => made.slice(-2).toSorted();

beforeAll(async () => {
  bed = await Bed.create();
  claim = await bed.claim('app', 'data');
  const folder = path.join(bed.folder, 'content');
  await mkdir(folder);
  // Each loses a file of the one before, so that packs are used in part, and gets another.
  for (let n = 1; n <= 5; n += 1) {
    for (let file = 0; file < 3; file += 1) {
      await writeFile(path.join(folder, `${n}-${file}`), randomBytes(50_000));
    }
    await rm(path.join(folder, `${n - 1}-0`), { force: true });
    const time = `2026-01-0${n} 12:00:00`;
    const host = `k8s-${claim.namespace}-nspvc-${claim.pvc}`;
    const tags = bed.tags(claim).join(',');
    const options = ['--json', '--host', host, '--time', time, '--tag', tags];
    const env = { ...bed.repository.env, TZ: 'UTC' };
    const output = await run(resticProgram, ['backup', ...options, '.'], { env, cwd: folder });
    made.push(/"snapshot_id":"([0-9a-f]{64})"/.exec(output)?.[1] ?? '');
  }
});

/** A copy of the repository behind a server, and the environment to reach it there. */
async function serve(
  name: string,
): Promise<{ copy: Repository; server: RestServer; env: Record<string, string> }> {
  const copy = await bed.repository.copy(path.join(bed.folder, name));
  const server = await RestServer.start(copy.env.RESTIC_REPOSITORY);
  return { copy, server, env: { ...copy.env, RESTIC_REPOSITORY: server.repository } };
}

async function expectNothingLost(copy: Repository): Promise<void> {
  expect(ids(await copy.snapshots('--no-lock'))).toEqual(expect.arrayContaining(kept()));
}

/** The next prune completes, whatever became of the ones before. */
async function expectCompletes(copy: Repository, env: Record<string, string>): Promise<void> {
  const answer = await bed.prune(args, { env });
  expect(answer.json.error).toBeUndefined();
  expect(answer.code).toBe(0);
  expect(ids(await copy.snapshots())).toEqual(kept());
  expect(await copy.restic('check', '--read-data')).toContain('no errors were found');
  // Nothing was left that the next one would still have to remove.
  expect((await bed.prune(args, { env })).json.repository.bytesFreed).toBe(0);
}

describe('ended in the middle', () => {
  test('SIGKILL at each phase: no snapshot is lost, and once the dead one’s lock is removed the next completes', async () => {
    const { copy, server, env } = await serve('killed');
    for (const [name, wanted] of phases) {
      const running = bed.start(args, { env });
      let reached = 0;
      server.onCall = ({ method, type }) => {
        if (method !== wanted.method || type !== wanted.type) return;
        reached += 1;
        running.kill('SIGKILL');
        // restic, too, never gets an answer.
        return new Promise((resolve) => setTimeout(resolve, 300));
      };
      const { signal, stderr } = await running.result;
      // With what it said, should it have come to an end by itself.
      const said = signal === 'SIGKILL' ? '' : stderr;
      expect([name, reached > 0, signal, said]).toEqual([name, true, 'SIGKILL', '']);
      server.onCall = () => undefined;
      await expectNothingLost(copy);
      expect(await copy.locks()).toHaveLength(1);
      if (name === phases[0]?.[0]) await expectLocked(copy, env);
      // They are dead, every one: an orphan that nobody has waited for yet would still count as alive.
      await copy.restic('unlock', '--remove-all');
    }
    await expectCompletes(copy, env);
  });

  test('SIGTERM at each phase: 143, no lock is left, and the next one completes', async () => {
    const { copy, server, env } = await serve('terminated');
    for (const [name, wanted] of phases) {
      const running = bed.start(args, { env });
      let reached = 0;
      server.onCall = async ({ method, type }) => {
        if (method !== wanted.method || type !== wanted.type) return;
        reached += 1;
        if (reached > 1) return;
        running.kill('SIGTERM');
        await new Promise((resolve) => setTimeout(resolve, 300));
      };
      const answer = answerOf(await running.result);
      server.onCall = () => undefined;
      expect([name, reached > 0, answer.code]).toEqual([name, true, 143]);
      expect(answer.json.error?.code).toBe('CANCELLED');
      expect(await copy.locks()).toEqual([]);
      await expectNothingLost(copy);
    }
    await expectCompletes(copy, env);
  });
});

/** Who holds the lock and what to do is said; nothing is unlocked, and nothing forgotten. */
async function expectLocked(copy: Repository, env: Record<string, string>): Promise<void> {
  const before = ids(await copy.snapshots('--no-lock'));
  const answer = await bed.prune([...args, '--retry-lock', '1s', '--unlock-stale'], { env });
  expect(answer.code).toBe(3);
  expect(answer.json.error?.code).toBe('REPOSITORY_LOCKED');
  expect(answer.json.error?.message).toMatch(
    /locked exclusively by process \d+ on \S+; its last sign of life was at 20\S+Z, \d+ s ago/,
  );
  expect(answer.json.error?.guidance).toMatch(/30 minutes.*`restic unlock` on a machine that is not named/);
  expect(await copy.locks()).toHaveLength(1);
  expect(ids(await copy.snapshots('--no-lock'))).toEqual(before);
  // What would be done can be said all the same.
  expect((await bed.prune([...args, '--dry-run'], { env })).code).toBe(0);
}

test('credentials that may not delete: exit 1, and what is missing is said', async () => {
  const { copy, server, env } = await serve('append-only');
  server.appendOnly = true;
  const answer = await bed.prune(args, { env });
  expect(answer.code).toBe(1);
  expect(answer.json).toMatchObject({ forgotten: 0, error: { code: 'RESTIC_FAILED' } });
  expect(answer.json.error?.guidance).toContain('may delete');
  expect(ids(await copy.snapshots())).toEqual(made.toSorted());
  expect(await copy.locks()).toEqual([]);
});
