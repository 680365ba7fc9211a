import { expect, test } from '@jest/globals';
import { ProofRecord } from '../../lib/repository/run-record.js';
import type { Restic } from '../../lib/tools/restic/restic.js';

const snapshot = (digit: string) => ({ id: digit.repeat(64), tree: 'f'.repeat(64) });
const idle = () => new Promise((resolve) => setTimeout(resolve, 20));
const minute = 60_000;

/** A repository that keeps what it is told was proven, unless it fails. */
function fixture() {
  const told: string[] = [];
  const state = { failing: false, now: 0 };
  const backup = (args: string[], { onStdoutLine }: { onStdoutLine: (line: string) => void }) => {
    if (state.failing) return Promise.resolve({ exitCode: 1, stdout: '', stderr: 'connection refused' });
    const notes = args.filter((arg) => arg.startsWith('--exclude=')).map((arg) => arg.split(' ')[1] ?? '');
    told.push(notes.map((id) => id.slice(0, 1)).join(''));
    onStdoutLine(JSON.stringify({ message_type: 'summary', snapshot_id: 'e'.repeat(64) }));
    return Promise.resolve({ exitCode: 0, stdout: '', stderr: '' });
  };
  const record = new ProofRecord({ backup, below: [] } as unknown as Restic, 'c', () => state.now);
  return { told, state, record, end: () => record.save(new AbortController().signal) };
}

test('a run that goes on for long tells of its proofs meanwhile, and of each once', async () => {
  const { told, state, record, end } = fixture();
  record.proven(snapshot('1'));
  state.now = 9 * minute;
  record.proven(snapshot('2'));
  await idle();
  expect(told).toEqual([]);
  state.now = 10 * minute;
  record.proven(snapshot('3'));
  await idle();
  expect(told).toEqual(['123']);
  state.now = 15 * minute;
  record.proven(snapshot('4'));
  await idle();
  expect(told).toEqual(['123']);
  expect(await end()).toBeNull();
  expect(told).toEqual(['123', '4']);
});

test('what could not be told is told with the next, and only the last failure counts', async () => {
  const { told, state, record, end } = fixture();
  [state.failing, state.now] = [true, 10 * minute];
  record.proven(snapshot('1'));
  await idle();
  [state.failing, state.now] = [false, 20 * minute];
  record.proven(snapshot('2'));
  expect(await end()).toBeNull();
  expect(told).toEqual(['12']);
  record.proven(snapshot('3'));
  state.failing = true;
  expect((await end())?.code).toBe('PROOFS_NOT_SAVED');
});
