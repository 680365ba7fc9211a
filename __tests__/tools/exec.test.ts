import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { createExec } from '../../lib/tools/process/exec.js';

const folder = mkdtempSync(path.join(tmpdir(), 'cephbackup-exec-'));
const redactor = new Redactor();
redactor.add('hunter2secret');
const exec = createExec({ env: { PATH: process.env.PATH ?? '' }, log: silent, redactor });

/** A real executable with this shell text. */
function script(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return file;
}

async function failure(promise: Promise<unknown>): Promise<CephbackupError> {
  try {
    await promise;
  } catch (thrown) {
    if (thrown instanceof CephbackupError) return thrown;
    throw thrown;
  }
  throw new Error('it did not fail');
}

async function untilItsEnd(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) expect(chunk.length).toBeGreaterThan(0);
}

async function ended(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 50; tries += 1) {
    try {
      process.kill(pid, 0);
      // A zombie whose parent has not reaped it yet runs nothing any more.
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
    } catch {
      return true;
    }
    await sleep(50);
  }
  return false;
}

describe('a command', () => {
  test('returns its exit code, its output and nothing of this environment', async () => {
    process.env.LEAK = 'leaked';
    const file = script('env', 'env; echo problem >&2; exit 7');
    const result = await exec(file, ['a b', '$(touch x)'], { deadlineMs: 10_000 });
    expect(result).toMatchObject({ exitCode: 7, stderr: 'problem\n' });
    expect(result.stdout).not.toMatch(/LEAK/);
  });

  test('gets its arguments byte for byte', async () => {
    const file = script('args', 'for a; do printf "[%s]" "$a"; done');
    const args = ['a\nb', '-x', '$HOME', "';--", 'ü\u001b'];
    expect((await exec(file, args, { deadlineMs: 10_000 })).stdout).toBe(
      args.map((arg) => `[${arg}]`).join(''),
    );
  });

  test('that does not exist is named', async () => {
    expect(await failure(exec('no-such-program', [], { deadlineMs: 1_000 }))).toMatchObject({
      code: 'TOOL_MISSING',
      message: expect.stringContaining('no-such-program') as unknown as string,
    });
  });

  test('prints no secret that this program was given', async () => {
    const file = script('leak', 'echo "bad key hunter2secret" >&2; exit 1');
    expect((await exec(file, [], { deadlineMs: 10_000 })).stderr).toBe('bad key ***\n');
  });

  test('that ignores TERM is killed at its deadline, with what it started', async () => {
    const pids = path.join(folder, 'pids');
    const file = script('hang', `trap '' TERM; sleep 1000 & echo $! > ${pids}; wait; sleep 1000`);
    const error = await failure(exec(file, [], { deadlineMs: 500, killGraceMs: 200 }));
    expect(error.code).toBe('COMMAND_TIMEOUT');
    expect(await ended(Number(readFileSync(pids, 'utf8')))).toBe(true);
  });

  test('that leaves a daemon with its output behind is not waited for beyond its deadline, whatever takes the output', async () => {
    const pids = path.join(folder, 'daemon');
    const file = script('leaves', `setsid sh -c 'echo $$ > ${pids}; exec sleep 1000' &`);
    const taken = { deadlineMs: 500, killGraceMs: 200, output: untilItsEnd };
    const error = await failure(exec(file, [], taken));
    process.kill(Number(readFileSync(pids, 'utf8')), 'SIGKILL');
    expect(error).toMatchObject({
      code: 'COMMAND_TIMEOUT',
      message: expect.stringContaining(
        'something that it started holds its output open',
      ) as unknown as string,
    });
  }, 30_000);

  test('is stopped by its signal, and the reason is what is thrown', async () => {
    const abort = new AbortController();
    const reason = new CephbackupError('CANCELLED', 'stopped by SIGTERM');
    const running = exec(script('sleep', 'exec sleep 1000'), [], {
      deadlineMs: 60_000,
      signal: abort.signal,
    });
    setTimeout(() => {
      abort.abort(reason);
    }, 200);
    expect(await failure(running)).toBe(reason);
  });

  test('that is given time to finish comes to its own end, and is ended when the time is over', async () => {
    const stop = new AbortController();
    const own = exec(script('finishes', 'echo begun; sleep 0.5; echo done; exit 3'), [], {
      deadlineMs: 20_000,
      signal: stop.signal,
      finishMs: 20_000,
      onStdoutLine: () => {
        stop.abort(new CephbackupError('CANCELLED', 'enough'));
      },
    });
    expect((await own).exitCode).toBe(3);
    const late = exec(script('goes-on', 'exec sleep 60'), [], {
      deadlineMs: 60_000,
      signal: AbortSignal.timeout(200),
      finishMs: 200,
    });
    await expect(late).rejects.toThrow(/timeout/i);
    const begun = exec(script('not-begun', 'exit 0'), [], {
      deadlineMs: 20_000,
      signal: stop.signal,
      finishMs: 20_000,
    });
    await expect(begun).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('can be stopped at a line it prints', async () => {
    const file = script('lines', 'echo one >&2; echo stop >&2; sleep 1000');
    const seen: string[] = [];
    const result = await exec(file, [], {
      deadlineMs: 60_000,
      onStderrLine: (line, stop) => {
        seen.push(line);
        if (line === 'stop') stop();
      },
    });
    expect(result.exitCode).not.toBe(0);
    expect(seen).toEqual(['one', 'stop']);
  });

  test('that prints more than is kept is stopped', async () => {
    const file = script('prints', 'head -c 3000000 /dev/zero; exec sleep 1000');
    const refused = await failure(exec(file, [], { deadlineMs: 60_000, stdoutLimitBytes: 2_000_000 }));
    expect(refused.message).toMatch(/printed more than 2000000 bytes$/);
  });

  test('that dies by a signal has failed', async () => {
    expect((await failure(exec(script('die', 'kill -SEGV $$'), [], { deadlineMs: 10_000 }))).code).toBe(
      'COMMAND_FAILED',
    );
  });
});
