import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { createExec } from '../../lib/tools/process/exec.js';

const folder = mkdtempSync(path.join(tmpdir(), 'cephbackup-flow-'));
const exec = createExec({ env: { PATH: process.env.PATH ?? '' }, log: silent, redactor: new Redactor() });
const deadlineMs = 30_000;
const size = 40 * 1024 * 1024;

function script(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  return file;
}

async function* bytes(total: number, fail: Error | null = null): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < total; at += 65_536) {
    await Promise.resolve();
    yield Buffer.alloc(Math.min(65_536, total - at), (at / 65_536) % 256);
  }
  if (fail !== null) throw fail;
}

const ignore = async (chunks: AsyncIterable<Uint8Array>) => {
  await count(chunks);
};

async function count(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let total = 0;
  for await (const chunk of chunks) total += chunk.length;
  return total;
}

describe('bytes through commands', () => {
  test('come out as they went in', async () => {
    let at = 0;
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) {
        for (const index of [0, chunk.length - 1]) {
          if (chunk[index] !== Math.floor((at + index) / 65_536) % 256)
            throw new Error(`wrong byte at ${at + index}`);
        }
        at += chunk.length;
      }
    };
    const { exitCode } = await exec('cat', [], { deadlineMs, input: bytes(size), output });
    expect([exitCode, at]).toEqual([0, size]);
  });

  test('flow from one to another', async () => {
    let total = 0;
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      const second = await exec('wc', ['-c'], { deadlineMs, input: chunks });
      total = Number(second.stdout);
    };
    await exec('head', ['-c', String(size), '/dev/zero'], { deadlineMs, output });
    expect(total).toBe(size);
  });

  test('do not run ahead of a slow reader', async () => {
    let given = 0;
    async function* source() {
      for await (const chunk of bytes(4 * size)) {
        given += chunk.length;
        yield chunk;
      }
    }
    const slow = exec(script('slow', 'sleep 1; head -c 10 >/dev/null'), [], {
      deadlineMs,
      input: source(),
    });
    await sleep(700);
    expect(given).toBeLessThan(size);
    expect((await slow).exitCode).toBe(0);
  });
});

test('a command may open its input when all of it has come, and it may be nothing', async () => {
  const late = script('late', 'sleep 1; exec 3</dev/stdin; head -c 3 <&3');
  const { stdout } = await exec(late, [], { deadlineMs, input: bytes(3), inputStaysOpen: true });
  expect(stdout).toBe('\0\0\0');
  const { exitCode } = await exec('cat', [], { deadlineMs, input: bytes(0) });
  expect(exitCode).toBe(0);
});

test('a flow of many pieces keeps none of them', async () => {
  const [pieces, before] = [300_000, process.memoryUsage().heapUsed];
  async function* many() {
    const piece = Buffer.alloc(64);
    for (let count = 0; count < pieces; count += 1) {
      await Promise.resolve();
      yield piece;
    }
  }
  const { stdout } = await exec('wc', ['-c'], { deadlineMs: 300_000, input: many() });
  expect(Number(stdout)).toBe(64 * pieces);
  // 200 bytes of each would be 60 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000);
}, 330_000);

test('who is told to end while a pipe is made starts no command', async () => {
  const programs = path.join(folder, 'slow-pipes');
  mkdirSync(programs);
  const slow = `#!/bin/bash\nsleep 1\nexec /usr/bin/mkfifo "$@"\n`;
  writeFileSync(path.join(programs, 'mkfifo'), slow, { mode: 0o755 });
  const env = { PATH: `${programs}:${process.env.PATH ?? ''}`, TMPDIR: folder };
  const patient = createExec({ env, log: silent, redactor: new Redactor() });
  const controller = new AbortController();
  const [ran, open] = [path.join(folder, 'ran'), readdirSync('/proc/self/fd').length];
  const command = patient('touch', [ran], {
    deadlineMs,
    signal: controller.signal,
    input: bytes(10),
    output: ignore,
  });
  await sleep(300);
  controller.abort(new Error('told to end'));
  await expect(command).rejects.toThrow('told to end');
  expect(existsSync(ran)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.startsWith('cephbackup-pipe'))).toEqual([]);
  await sleep(100);
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(open);
});

describe('what fails first is told', () => {
  test('the reader here: the command may clean up, and its exit code does not matter', async () => {
    const cleaned = path.join(folder, 'cleaned');
    const file = script('cleanup', `trap 'echo yes > ${cleaned}; exit 130' INT; while :; do echo line; done`);
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) if (chunk.length > 0) throw new Error('enough');
    };
    await expect(exec(file, [], { deadlineMs, output })).rejects.toThrow('enough');
    expect(readFileSync(cleaned, 'utf8')).toBe('yes\n');
  });

  test('the reader here, although it keeps the stream open', async () => {
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      await chunks[Symbol.asyncIterator]().next();
      throw new Error('seen enough');
    };
    await expect(exec('cat', ['/dev/zero'], { deadlineMs, output })).rejects.toThrow('seen enough');
  });

  test('the source here: the command ends by the end of its input', async () => {
    const ended = path.join(folder, 'ended');
    const file = script('reader', `trap '' INT TERM; cat >/dev/null; echo yes > ${ended}; exit 9`);
    const input = bytes(100_000, new Error('source broke'));
    await expect(exec(file, [], { deadlineMs, input })).rejects.toThrow('source broke');
    expect(readFileSync(ended, 'utf8')).toBe('yes\n');
  });

  test('the command: its exit code and its words, not the complaint about what is missing', async () => {
    const file = script('truncated', 'head -c 1000 /dev/zero; echo broken >&2; exit 3');
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      if ((await count(chunks)) < 2000) throw new Error('truncated');
    };
    expect(await exec(file, [], { deadlineMs, output })).toMatchObject({
      exitCode: 3,
      stderr: 'broken\n',
    });
  });

  test('a command that says that all is well is not believed against the reader', async () => {
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      if ((await count(chunks)) < 2000) throw new Error('truncated');
    };
    await expect(exec('head', ['-c', '1000', '/dev/zero'], { deadlineMs, output })).rejects.toThrow(
      'truncated',
    );
  });

  test.each([
    [0, /truncated/],
    [3, /^$/],
  ])(
    'a command that ends some time after its last word is waited for: exit code %d',
    async (code, reason) => {
      const file = script(`late-${code}`, `head -c 1000 /dev/zero; exec >&-; sleep 0.3; exit ${code}`);
      const output = async (chunks: AsyncIterable<Uint8Array>) => {
        if ((await count(chunks)) < 2000) throw new Error('truncated');
      };
      const said = await exec(file, [], { deadlineMs, output }).then(
        ({ exitCode }) => {
          expect(exitCode).toBe(code);
          return '';
        },
        (thrown: unknown) => String(thrown),
      );
      expect(said).toMatch(reason);
    },
  );

  test('a command that does not read to the end', async () => {
    let returned = false;
    async function* source() {
      try {
        yield* bytes(size);
      } finally {
        returned = true;
      }
    }
    const { exitCode } = await exec(script('early', 'head -c 10 >/dev/null; exit 4'), [], {
      deadlineMs,
      input: source(),
    });
    expect(exitCode).toBe(4);
    await sleep(50);
    expect(returned).toBe(true);
  });

  test('the second of two: the first is stopped', async () => {
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      const second = await exec(script('full', 'head -c 10 >/dev/null; exit 28'), [], {
        deadlineMs,
        input: chunks,
      });
      if (second.exitCode !== 0) throw new Error(`second: ${second.exitCode}`);
    };
    await expect(exec('cat', ['/dev/zero'], { deadlineMs, output })).rejects.toThrow('second: 28');
  });
});

test('an abort ends a flow from both sides', async () => {
  const abort = new AbortController();
  const output = async (chunks: AsyncIterable<Uint8Array>) => {
    await exec('cat', [], {
      deadlineMs,
      input: chunks,
      output: async (copied) => {
        await count(copied);
      },
      signal: abort.signal,
    });
  };
  const running = exec('cat', ['/dev/zero'], { deadlineMs, output, signal: abort.signal });
  setTimeout(() => {
    abort.abort(new Error('stopped'));
  }, 200);
  await expect(running).rejects.toThrow('stopped');
});

describe('a reader that hangs on the last of what a command has said, after its end', () => {
  const hangs = (taken: AsyncIterator<Uint8Array>[]) => async (chunks: AsyncIterable<Uint8Array>) => {
    const iterator = chunks[Symbol.asyncIterator]();
    taken.push(iterator);
    await iterator.next();
    await new Promise(() => undefined);
  };

  test('is not waited for once the command would have been told to end, and gets nothing more', async () => {
    const abort = new AbortController();
    const taken: AsyncIterator<Uint8Array>[] = [];
    const said = path.join(folder, 'said');
    const running = exec('sh', ['-c', 'head -c 200000 /dev/zero; exec touch "$0"', said], {
      deadlineMs,
      output: hangs(taken),
      signal: abort.signal,
      killGraceMs: 5_000,
    });
    while (!existsSync(said)) await sleep(100);
    abort.abort(new Error('told to end'));
    await expect(running).rejects.toThrow('told to end');
    await expect(taken[0]?.next()).rejects.toThrow('the pipe was closed');
  });

  test('is not waited for beyond the deadline', async () => {
    const running = exec('head', ['-c', '200000', '/dev/zero'], {
      deadlineMs: 2_000,
      output: hangs([]),
      killGraceMs: 200,
    });
    await expect(running).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' });
  });

  test('may come to its end in the time that a command has for that', async () => {
    const abort = new AbortController();
    let done = false;
    const output = async (chunks: AsyncIterable<Uint8Array>) => {
      await count(chunks);
      abort.abort(new Error('told to end'));
      await sleep(300);
      done = true;
    };
    // Whether the command had ended before it was told to is left open.
    await exec('head', ['-c', '200000', '/dev/zero'], { deadlineMs, output, signal: abort.signal }).catch(
      (thrown: unknown) => {
        expect(String(thrown)).toContain('told to end');
      },
    );
    expect(done).toBe(true);
  });
});
