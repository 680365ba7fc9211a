import { spawn } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { checkout } from '../../sandbox/checkout.js';

const size = 4 * 1024 * 1024;
const built = pathToFileURL(path.join(checkout, 'dist/lib/tools/process/stream.js')).href;

/** Importing node:process sets O_NONBLOCK on a stdout that is a pipe. */
const program = `
import 'node:process';
const { BlockingWriter } = await import(${JSON.stringify(built)});
const writer = new BlockingWriter(1);
for (let sent = 0; sent < ${size}; sent += 32768) writer.write(Buffer.alloc(32768, 7));
writer.flush();
`;

test('a reader that is slower than the writer gets everything, though the pipe does not block', async () => {
  const child = spawn(
    'sh',
    ['-c', '"$0" --input-type=module -e "$1" | { sleep 1; exec cat; }', process.execPath, program],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const output = { bytes: 0, errors: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.bytes += chunk.length));
  child.stderr.on('data', (chunk: Buffer) => (output.errors += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  expect(output).toEqual({ bytes: size, errors: '' });
});
