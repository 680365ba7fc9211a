import { describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { Scope } from '../../lib/ownership/scope.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { endingInTime } from '../../lib/tools/process/unwinding.js';

const once = createExec({ env: { PATH: process.env.PATH ?? '' }, log: silent, redactor: new Redactor() });

describe('what undoes something', () => {
  test('and hangs ends some time after the program was told to end, and what is left is named', async () => {
    const ended = new AbortController();
    const exec = endingInTime(once, ended.signal, 300);
    const scope = new Scope('node', silent);
    scope.add({ kind: 'clone', name: 'p/clone', cluster: null }, async () => {
      // As a removal: nothing but its own silence, ten minutes of it, would end it.
      await exec('sh', ['-c', "trap '' TERM; sleep 1000 & wait"], { deadlineMs: 600_000, killGraceMs: 100 });
    });
    const left = scope.release();
    ended.abort(new Error('SIGTERM'));
    expect(await left).toMatchObject([
      {
        kind: 'clone',
        name: 'p/clone',
        reason: expect.stringContaining('after the program was told to end'),
      },
    ]);
    // What begins when that time is over ends at once.
    await expect(exec('true', [], { deadlineMs: 1000 })).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' });
  });

  test('has its time after that, and all of it where nobody ends the program', async () => {
    const ended = new AbortController();
    const exec = endingInTime(once, ended.signal, 60_000);
    ended.abort(new Error('SIGTERM'));
    expect((await exec('true', [], { deadlineMs: 60_000 })).exitCode).toBe(0);
  });

  test('is still ended by its own signal, for its reason', async () => {
    const exec = endingInTime(once, new AbortController().signal);
    const own = new AbortController();
    const running = exec('sleep', ['1000'], { deadlineMs: 600_000, signal: own.signal });
    own.abort(new Error('mine'));
    await expect(running).rejects.toThrow('mine');
  });
});
