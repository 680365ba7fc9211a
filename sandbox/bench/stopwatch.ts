import { readFile } from 'node:fs/promises';

export interface Measured<T> {
  result: T;
  /** Wall. */
  seconds: number;
  /** How busy all of the machine's processors were meanwhile, 0 to 1. */
  busy: number;
  /** That all processors together were busy. */
  processorSeconds: number;
}

export async function measure<T>(action: () => Promise<T>): Promise<Measured<T>> {
  const before = await processorTimes();
  const began = performance.now();
  const result = await action();
  const seconds = (performance.now() - began) / 1000;
  const after = await processorTimes();
  const busy = (after.busy - before.busy) / Math.max(1, after.all - before.all);
  return { result, seconds, busy, processorSeconds: (after.busy - before.busy) / ticksPerSecond };
}

/** `getconf CLK_TCK`, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Clock ticks of all processors since boot; format: proc(5), `/proc/stat`. */
async function processorTimes(): Promise<{ busy: number; all: number }> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const ticks = first.split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, value) => sum + value, 0);
  const [, , , idle = 0, waiting = 0] = ticks;
  return { busy: all - idle - waiting, all };
}
