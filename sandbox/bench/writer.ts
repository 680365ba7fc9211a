import { randomBytes, randomInt } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

// `node writer.js FILE SIZE`: as a database commits, 4 KiB at a random place and a flush, 50 times a second at most, until
// SIGTERM; then one line of JSON: how many milliseconds each took. A process of its own, so that nothing else keeps it waiting.
const [, , file = '', size = ''] = process.argv;
const length = 4096;
const intervalMs = 20;
const bytes = randomBytes(length);
const tookMs: number[] = [];
const over = new AbortController();
process.once('SIGTERM', () => {
  over.abort();
});
const device = await open(file, 'r+');
while (!over.signal.aborted) {
  const began = performance.now();
  await device.write(bytes, 0, length, length * randomInt(Math.floor(Number(size) / length)));
  await device.datasync();
  const took = performance.now() - began;
  tookMs.push(took);
  await sleep(Math.max(0, intervalMs - took));
}
await device.close();
process.stdout.write(`${JSON.stringify(tookMs)}\n`);
