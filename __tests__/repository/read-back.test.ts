import { expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import { GroupReader } from '../../lib/repository/read-back.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';

const stored = (id: string): ResticSnapshot => ({
  ...{ id, time: '2026-01-31T12:00:00Z', tree: `tree of ${id}`, paths: [], hostname: 'h', tags: [] },
  summary: null,
});
const forAll = 3_600_000;

/** A repository that holds some snapshots, and waits with each answer until it is let go. */
function repository(held: readonly string[], { broken = false } = {}) {
  const calls: string[] = [];
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  return {
    calls,
    open: () => {
      open();
    },
    readSnapshots: async (ids: readonly string[]) => {
      calls.push(ids.join(' '));
      await gate;
      if (broken) throw new CephbackupError('REPOSITORY_UNREACHABLE', 'no answer');
      return ids.filter((id) => held.includes(id)).map(stored);
    },
    catSnapshot: async (id: string) => {
      calls.push(id);
      await gate;
      if (held.includes(id)) return { ...stored(id), id: '' };
      throw new CephbackupError('BACKUP_UNPROVEN', `no ${id}`);
    },
  };
}

test('alone, a snapshot is read at once', async () => {
  const held = repository(['a']);
  held.open();
  const reader = new GroupReader(held, forAll);
  reader.expect(['A']);
  expect((await reader.readerFor('A').catSnapshot('a')).tree).toBe('tree of a');
  expect(held.calls).toEqual(['a']);
});

test('what others are expected to ask for is waited for, until they have ended without', async () => {
  const held = repository(['a', 'b']);
  held.open();
  const reader = new GroupReader(held, forAll);
  reader.expect(['A', 'B', 'C']);
  const both = [reader.readerFor('A').catSnapshot('a'), reader.readerFor('B').catSnapshot('b')];
  expect(held.calls).toEqual([]);
  reader.settled('C');
  expect((await Promise.all(both)).map(({ tree }) => tree)).toEqual(['tree of a', 'tree of b']);
  expect(held.calls).toEqual(['a b']);
});

test('and not for longer than a while', async () => {
  const held = repository(['a']);
  held.open();
  const reader = new GroupReader(held, 10);
  reader.expect(['A', 'never']);
  expect((await reader.readerFor('A').catSnapshot('a')).tree).toBe('tree of a');
});

test('what is asked for during a reading is read with the next', async () => {
  const held = repository(['a', 'b', 'c']);
  const reader = new GroupReader(held, forAll);
  const all = ['a', 'b', 'c'].map((id) => reader.readerFor(id).catSnapshot(id));
  await new Promise((resolve) => setImmediate(resolve));
  expect(held.calls).toEqual(['a']);
  held.open();
  await Promise.all(all);
  expect(held.calls).toEqual(['a', 'b c']);
});

test('one that is missing fails alone, by its own reading', async () => {
  const held = repository(['a', 'c']);
  held.open();
  const reader = new GroupReader(held, forAll);
  reader.expect(['a', 'b', 'c']);
  const ends = await Promise.allSettled(['a', 'b', 'c'].map((id) => reader.readerFor(id).catSnapshot(id)));
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(ends[1]).toMatchObject({ reason: { code: 'BACKUP_UNPROVEN' } });
  expect(held.calls).toEqual(['a b c', 'b']);
});

test('where they cannot be read together, each is read by itself', async () => {
  const held = repository(['a', 'b'], { broken: true });
  held.open();
  const reader = new GroupReader(held, forAll);
  reader.expect(['a', 'b']);
  const both = ['a', 'b'].map((id) => reader.readerFor(id).catSnapshot(id));
  expect((await Promise.all(both)).map(({ tree }) => tree)).toEqual(['tree of a', 'tree of b']);
  expect(held.calls).toEqual(['a b', 'a', 'b']);
});
