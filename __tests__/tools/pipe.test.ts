import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeSync, writeSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { openPipe, PipeReader } from '../../lib/tools/process/pipe.js';
import { Random } from '../qcow2/random.js';

const env = { PATH: process.env.PATH ?? '' };
const exec = createExec({ env, log: silent, redactor: new Redactor() });
const mkfifo = (args: string[]) => exec('mkfifo', args, { deadlineMs: 60_000 });
const random = new Random(29);

async function* pieces(hash: ReturnType<typeof createHash>, total: number) {
  const memory = Buffer.alloc(300_000);
  for (let left = total; left > 0;) {
    const piece = memory.subarray(0, Math.min(left, random.integer(1, memory.length)));
    random
      .bytes(Math.min(piece.length, 4096))
      .copy(piece, random.integer(0, Math.max(1, piece.length - 4096)));
    hash.update(piece);
    left -= piece.length;
    // The same memory each time: whoever wrote it late would write what came after it.
    yield piece;
    if (random.integer(0, 20) === 0) await sleep(random.integer(0, 5));
  }
}

test('bytes of both directions are what they were, although all memory is used again, with anybody slow', async () => {
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  let total = 0;
  await exec('sh', ['-c', 'dd bs=7k status=none | dd bs=300k iflag=fullblock status=none'], {
    deadlineMs: 120_000,
    input: pieces(sent, 60_000_000),
    output: async (chunks) => {
      for await (const chunk of chunks) {
        total += chunk.length;
        if (random.integer(0, 50) === 0) await sleep(random.integer(0, 10));
        received.update(chunk);
      }
    },
  });
  expect(total).toBe(60_000_000);
  expect(received.digest('hex')).toBe(sent.digest('hex'));
}, 180_000);

test('what comes while nobody asks waits, and none of it is lost', async () => {
  const { input, output } = await openPipe(env, mkfifo);
  const reader = new PipeReader(output);
  const said = exec('sh', ['-c', 'head -c 3000000 /dev/zero | tr "\\0" x; printf end'], {
    deadlineMs: 60_000,
    output: async (chunks) => {
      await sleep(300);
      let text = '';
      for await (const chunk of chunks) text += Buffer.from(chunk).toString();
      expect(text).toHaveLength(3_000_003);
      expect(text.replace(/^x+/, '')).toBe('end');
    },
  });
  writeSync(input, 'one');
  closeSync(input);
  await reader.over;
  expect(reader.ended).toBe(true);
  const first = await reader.next();
  expect(Buffer.from(first.value ?? []).toString()).toBe('one');
  expect((await reader.next()).done).toBe(true);
  await said;
});

test('a pipe that is closed before its end is no end', async () => {
  const { input, output } = await openPipe(env, mkfifo);
  const reader = new PipeReader(output);
  const next = reader.next();
  reader.destroy();
  await expect(next).rejects.toThrow('the pipe was closed');
  expect(reader.ended).toBe(false);
  closeSync(input);
});
