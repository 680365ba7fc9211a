import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import type { Daemon } from '../../lib/tools/process/daemon.js';
import { untilServed, type Served } from '../../lib/tools/node/served.js';

/** Serves at the third look, unless it is told otherwise; nothing that fails here may wait for the hour. */
function waiting(changes: Partial<Served> = {}, alive = true): Promise<void> {
  let looks = 0;
  return untilServed({
    daemon: { alive: () => alive } as Daemon,
    namespace: { pid: process.pid },
    isServed: () => Promise.resolve((looks += 1) === 3),
    withinMs: 3_600_000,
    dead: () => new Error('dead'),
    late: () => new Error('late'),
    signal: new AbortController().signal,
    ...changes,
  });
}
const never = () => Promise.resolve(false);

test('ends once it is served', () => waiting());

test('fails at once where the daemon has ended, nothing comes in time, or nobody waits any more', async () => {
  await expect(waiting({}, false)).rejects.toThrow('dead');
  await expect(waiting({ isServed: never, withinMs: 0 })).rejects.toThrow('late');
  await expect(waiting({ isServed: never, signal: AbortSignal.abort(new Error('told')) })).rejects.toThrow(
    'told',
  );
});

// Its mounts are gone with it: what is waited for would be looked for in a namespace that is none.
test('fails at once where the process that holds the namespace has ended, although the daemon lives', async () => {
  const holder = spawn('true');
  await once(holder, 'exit');
  await expect(waiting({ isServed: never, namespace: { pid: holder.pid ?? 0 } })).rejects.toMatchObject({
    code: 'NAMESPACE_FAILED',
  });
});
