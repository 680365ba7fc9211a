import { beforeAll, describe, expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { searchPath } from '../../sandbox/tools.js';
import { imageOf } from '../qcow2/disk.js';
import { FaultyPrograms } from '../support/faults.js';
import { temporaryFolder } from '../support/temporary.js';
import { hurt, Library, outcomes, type Made } from './library.js';

const MiB = 1024 * 1024;
const shared = { seed: 1, length: 2 * MiB };

/**
 * Four claims. What is shared was stored with c; `same` is a folder that the second and third backup of a have in common.
 */
let base: Library;
let made: Record<'c' | 'a1' | 'b' | 'a2' | 'a3' | 'disk', Made>;

beforeAll(async () => {
  base = await Library.create();
  const one = { seed: 2, length: 1.5 * MiB };
  const own = { one, 'same/file': 'the same', 'same/deeper/file': 'the same, too' };
  made = {
    c: await base.files('c', { shared }, '2026-01-01 01:00:00'),
    a1: await base.files('a', { one }, '2026-01-01 02:00:00'),
    b: await base.files('b', { two: { seed: 3, length: MiB }, shared, e: 'e' }, '2026-01-01 03:00:00'),
    a2: await base.files('a', { ...own, shared }, '2026-01-02 02:00:00'),
    a3: await base.files('a', { ...own, 'new/file': 'new' }, '2026-01-03 02:00:00'),
    disk: await base.disk('disk', '2026-01-01 04:00:00'),
  };
});

/** The damage, which claims verify finds damaged, and the snapshots that it names. */
interface Case {
  what: string;
  damage: (library: Library) => Promise<void>;
  damaged: string[];
  hurts: () => Record<string, string[]>;
  codes: string[];
  object: string;
}

const ofShared = () => ({ c: [made.c.id], b: [made.b.id], a: [made.a2.id] });
const everything = () => ({
  a: [made.a1.id, made.a2.id, made.a3.id],
  b: [made.b.id],
  c: [made.c.id],
  disk: [made.disk.id],
});
const ofSame = () => ({ a: [made.a2.id, made.a3.id] });

const cases: Case[] = [
  {
    what: 'a flipped bit in a pack of data',
    damage: (library) => library.flip('data', made.c.data[0]),
    damaged: ['b', 'c'],
    hurts: ofShared,
    codes: ['BACKUP_DAMAGED'],
    object: 'blob',
  },
  {
    what: 'a pack of data that is cut short',
    damage: (library) => library.cut('data', made.c.data[0]),
    damaged: ['b', 'c'],
    hurts: ofShared,
    codes: ['BACKUP_DAMAGED'],
    object: 'pack',
  },
  {
    what: 'a pack of data that is missing',
    damage: (library) => library.remove('data', made.c.data[0]),
    damaged: ['b', 'c'],
    hurts: ofShared,
    codes: ['BACKUP_DAMAGED'],
    object: 'pack',
  },
  {
    what: "a flipped bit in a disk's pack, and one in a pack of trees of another claim",
    damage: async (library) => {
      await library.flip('data', made.disk.data[0]);
      await library.flip('data', made.b.trees[0]);
    },
    damaged: ['b', 'disk'],
    hurts: () => ({ disk: [made.disk.id], b: [made.b.id] }),
    codes: ['BACKUP_DAMAGED'],
    object: 'blob',
  },
  {
    what: 'a pack of trees that is missing',
    damage: (library) => library.remove('data', made.a2.trees[0]),
    damaged: ['a'],
    hurts: ofSame,
    codes: ['BACKUP_DAMAGED'],
    object: 'pack',
  },
  {
    what: 'a flipped bit in a file of the index',
    damage: (library) => library.flip('index', made.b.index),
    damaged: ['a', 'b', 'c', 'disk'],
    hurts: everything,
    codes: ['INDEX_DAMAGED'],
    object: 'index',
  },
  {
    what: 'a file of the index that is missing',
    damage: (library) => library.remove('index', made.disk.index),
    damaged: ['disk'],
    hurts: () => ({ disk: [made.disk.id] }),
    codes: ['BACKUP_DAMAGED'],
    object: 'blob',
  },
  {
    what: 'a flipped bit in the file of the newest snapshot, which the local cache still knows',
    damage: (library) => library.flip('snapshots', made.a3.id),
    damaged: ['a'],
    hurts: () => ({ a: [made.a3.id] }),
    codes: ['SNAPSHOT_DAMAGED'],
    object: 'snapshot',
  },
];

test('sound backups are verified, with everything that they contain', async () => {
  const answer = await base.verify();
  expect(answer).toMatchObject({ code: 0, report: { exitCode: 0, damage: [] } });
  expect(outcomes(answer)).toEqual({ a: 'verified', b: 'verified', c: 'verified', disk: 'verified' });
  const [a, b, , disk] = answer.report.claims;
  expect(a).toMatchObject({ snapshot: made.a3.id, files: 4, lastVerified: null, error: null });
  expect(b).toMatchObject({ files: 3, bytes: 3 * MiB + 1, time: '2026-01-01T03:00:00Z' });
  expect(disk).toMatchObject({ kind: 'rbd-block', files: null });
  expect(disk?.bytes).toBeGreaterThan(MiB);
});

test('a drill restores each of them, and leaves nothing; what restic only says to have restored is no proof', async () => {
  const TMPDIR = await temporaryFolder('drill');
  const answer = await base.verify(['--drill', 'app/a', 'app/disk'], { TMPDIR });
  expect(answer).toMatchObject({ code: 0, report: { drill: true } });
  expect(outcomes(answer)).toEqual({ a: 'verified', disk: 'verified' });
  expect(answer.stderr).toContain('restoring files into');
  const lies = new FaultyPrograms([{ program: 'restic', when: 'restore*', mode: 'lie' }], searchPath());
  const lied = await base.verify(['--drill', 'app/a'], { TMPDIR, PATH: lies.path });
  expect(lied).toMatchObject({ code: 1, report: { claims: [{ outcome: 'failed' }] } });
  expect(await readdir(TMPDIR)).toEqual([]);
});

test('a disk that is sound to restic and no whole image is damaged', async () => {
  const library = await base.copy('contents');
  const image = await imageOf({ size: 8 * MiB, extents: [{ offset: 0, data: Buffer.alloc(MiB, 7) }] });
  const short = await library.disk('short', '2026-01-01 05:00:00', image.subarray(0, MiB / 2));
  const long = await library.disk('long', '2026-01-01 05:00:00', Buffer.concat([image, Buffer.from('more')]));
  const answer = await library.verify(['app/short', 'app/long', 'app/disk']);
  expect(answer.code).toBe(1);
  expect(outcomes(answer)).toEqual({ disk: 'verified', long: 'damaged', short: 'damaged' });
  expect(hurt(answer)).toEqual({ long: [long.id], short: [short.id] });
  expect(answer.report.damage.map(({ object }) => object)).toEqual(['contents', 'contents']);
});

describe('exactly what is hurt is named:', () => {
  test.each(cases)('$what', async ({ what, damage, damaged, hurts, codes, object }) => {
    const library = await base.copy(what.replaceAll(/[^a-z]+/g, '-'));
    await damage(library);
    const answer = await library.verify();
    const { report, code } = answer;
    expect({ code, ...outcomes(answer) }).toEqual({
      code: 1,
      ...Object.fromEntries(
        ['a', 'b', 'c', 'disk'].map((pvc) => [pvc, damaged.includes(pvc) ? 'damaged' : 'verified']),
      ),
    });
    expect(hurt(answer)).toEqual(hurts());
    for (const found of report.damage) {
      expect(found).toMatchObject({ object, complete: true, others: [] });
      expect(found.guidance).toMatch(/`(restic repair|cephbackup run)/);
    }
    const errors = report.claims.flatMap(({ error }) => error?.code ?? []);
    expect([...new Set(errors)]).toEqual(codes);
  });
});
