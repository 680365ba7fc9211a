import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { Random } from '../plan/random.js';
import { fill } from '../block/block-volume.js';
import type { RunningCephbackup } from '../support/cephbackup.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';

/*
 * Runs and prunes at the same time, each ended in the middle now and then. Longer by hand:
 * `PRUNE_ROUNDS=200 npm test -- __tests__/retention/rounds`, the same once more with PRUNE_SEED.
 */
const rounds = Number(process.env.PRUNE_ROUNDS ?? 4);
const seed = Number(process.env.PRUNE_SEED ?? randomBytes(4).readUInt32LE());
const random = new Random(seed);
const upTo = (limit: number) => random.below(limit);

const size = 4 * 1024 ** 2;
const block = 64 * 1024;

interface Volume {
  claim: SeededClaim;
  content: Buffer;
  marked: string | null;
  /** What the marked snapshot must hold. */
  proven: Buffer | null;
}

let scenario: Scenario;
let volumes: Volume[];

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  const options = { format: 'none', volumeMode: 'Block', size: '4M' } as const;
  volumes = [];
  for (const name of ['one', 'two']) {
    const claim = await scenario.claim(name, options);
    volumes.push({ claim, content: Buffer.alloc(size), marked: null, proven: null });
  }
});

/** New data in some places, so that snapshots share some of it. */
function write({ claim, content }: Volume): void {
  const blocks = new Set(Array.from({ length: 1 + upTo(6) }, () => upTo(size / block)));
  const extents = [...blocks]
    .toSorted((a, b) => a - b)
    .map((index) => ({ offset: index * block, data: randomBytes(block) }));
  for (const { offset, data } of extents) data.copy(content, offset);
  fill(scenario.cluster, claim.image, size, extents);
}

interface Ending {
  signal: 'SIGTERM' | 'SIGKILL';
  /** Milliseconds after its start. */
  after: number;
}

const ending = (): Ending | null =>
  upTo(2) === 0 ? { signal: random.pick(['SIGTERM', 'SIGKILL']), after: 200 + upTo(4_000) } : null;

async function perform(args: string[], delay: number, end: Ending | null) {
  await sleep(delay);
  const running: RunningCephbackup = scenario.start(args);
  const timer =
    end === null
      ? undefined
      : setTimeout(() => {
          running.kill(end.signal);
        }, end.after);
  const result = await running.result;
  clearTimeout(timer);
  return result;
}

test(
  `${rounds} rounds (PRUNE_SEED=${seed}): nothing that is marked is ever lost`,
  async () => {
    const outcomes = new Map<string, number>();
    const count = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    for (let round = 1; round <= rounds; round += 1) {
      for (const volume of volumes) write(volume);
      const keep = String(1 + upTo(3));
      const delays = [upTo(3_000), upTo(3_000)] as const;
      const [run, prune] = await Promise.all([
        perform(['run', '-o', 'json'], delays[0], ending()),
        perform(
          ['prune', '-o', 'json', '--keep-last', keep, '--max-unused', '0', '--retry-lock', '3s'],
          delays[1],
          ending(),
        ),
      ]);
      count(`run ${run.code ?? run.signal ?? ''}`);
      count(`prune ${prune.code ?? prune.signal ?? ''}`);
      // A lock is in the way of the one or the other, or something of a killed run cannot be removed yet.
      expect([0, 1, 3, 5, 143, null]).toContain(run.code);
      // Before the first backup there is nothing to prune, which is told as such (contract, section 7).
      if (prune.code !== 1) expect([0, 3, 143, null]).toContain(prune.code);
      else expect(prune.json).toMatchObject({ error: { code: 'SNAPSHOT_NOT_FOUND' } });
      // The killed are dead: nothing of this scenario runs now.
      if (run.code === null || prune.code === null)
        await scenario.repository.restic('unlock', '--remove-all');
      if (run.code === null) await scenario.expireLease();
      await expectMarks(round);
    }
    console.log(`PRUNE_SEED=${seed} ${JSON.stringify(Object.fromEntries([...outcomes].toSorted()))}`);
    // After all that, a run and a prune that nobody disturbs go as ever.
    const last = await perform(['run', '-o', 'json'], 0, null);
    expect([0, 5]).toContain(last.code);
    await expectMarks(rounds + 1);
    const end = await perform(['prune', '-o', 'json', '--keep-last', '1', '--max-unused', '0'], 0, null);
    expect([end.code, end.stderr.includes('ERROR')]).toEqual([0, false]);
    await expectRestorable();
  },
  240_000 + rounds * 60_000,
);

/** What is marked is there; a new mark stands for what was written in this round. */
async function expectMarks(round: number): Promise<void> {
  const present = new Set((await scenario.repository.snapshots()).map(({ id }) => id));
  for (const volume of volumes) {
    const mark = (await scenario.annotations(volume.claim))['last-snapshot'] ?? null;
    if (mark === null) continue;
    expect([round, mark, present.has(mark)]).toEqual([round, mark, true]);
    if (mark !== volume.marked) volume.proven = Buffer.from(volume.content);
    volume.marked = mark;
  }
}

async function expectRestorable(): Promise<void> {
  expect(await scenario.repository.restic('check', '--read-data')).toContain('no errors were found');
  for (const volume of volumes) await expectContent(volume);
}

async function expectContent({ claim: { namespace, name }, marked, proven }: Volume): Promise<void> {
  const file = path.join(scenario.temporary, 'restored');
  const target = ['--to-file', file, '--format', 'raw', '--snapshot', marked ?? ''];
  const { code, stderr } = await scenario.cephbackup(['restore', `${namespace}/${name}`, ...target]);
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  expect((await readFile(file)).equals(proven ?? Buffer.alloc(0))).toBe(true);
  await rm(file);
}
