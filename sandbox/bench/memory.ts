import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { measure } from './stopwatch.js';

/** Megabytes (10^6 bytes) of a process's memory that are resident. */
export interface Memory {
  now: number;
  /** The most there ever was. */
  peak: number;
}

/** Null when the process is no more. Format: proc(5), `/proc/PID/status`; its kB are 1,024 bytes. */
export async function memoryOf(pid: number): Promise<Memory | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const field = (name: string) => {
    const found = new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status);
    return found === null ? null : (Number(found[1]) * 1024) / 1e6;
  };
  const [now, peak] = [field('VmRSS'), field('VmHWM')];
  return now === null || peak === null ? null : { now, peak };
}

/** `getconf CLK_TCK`, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Null when the process is no more. Format: proc(5), `/proc/PID/stat`; what stands in front is its name in brackets. */
export async function processorSecondsOf(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user, system] = [fields[11], fields[12]];
  return user === undefined || system === undefined ? null : (user + system) / ticksPerSecond;
}

/** Processes of this program below `pid` that do what a hidden subcommand says. */
export async function ownProcessesBelow(pid: number, subcommand: string): Promise<number[]> {
  const children = await childrenOf(pid);
  const deeper = await Promise.all(children.map((child) => ownProcessesBelow(child, subcommand)));
  const own = await Promise.all(
    children.map(async (child) => {
      const argv = (await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return argv[0]?.endsWith('node') === true && argv.includes(subcommand) ? [child] : [];
    }),
  );
  return [...own.flat(), ...deeper.flat()];
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = `/proc/${pid}/task`;
  const ids = await readdir(threads).catch(() => []);
  const lists = await Promise.all(
    ids.map((id) => readFile(`${threads}/${id}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

/** A program that was started. */
export interface Started<T> {
  pid: number;
  result: Promise<T>;
}

/** Looks at a program's memory every `interval` milliseconds until it has ended. */
export async function watch<T>(
  { pid, result }: Started<T>,
  interval: number,
  look: (memory: Memory) => void | Promise<void>,
): Promise<T> {
  const over = new AbortController();
  const ended = result.finally(() => {
    over.abort();
  });
  // Where it fails while it is watched, that is told at the end.
  ended.catch(() => undefined);
  while (!over.signal.aborted) {
    const memory = await memoryOf(pid);
    if (memory !== null) await look(memory);
    await Promise.race([sleep(interval), ended]).catch(() => undefined);
  }
  return ended;
}

export interface Sample<T> {
  result: T;
  /** From start to end. */
  seconds: number;
  /** Of processors, but for its last milliseconds. */
  processorSeconds: number;
  /** Megabytes. */
  peak: number;
}

/** Runs a program to its end. What memory it takes in its last milliseconds is not seen. */
export async function sample<T>(start: () => Started<T>): Promise<Sample<T>> {
  let [peak, processorSeconds] = [0, 0];
  const { seconds, result } = await measure(() => {
    const started = start();
    return watch(started, 10, async (memory) => {
      peak = Math.max(peak, memory.peak);
      processorSeconds = (await processorSecondsOf(started.pid)) ?? processorSeconds;
    });
  });
  return { result, seconds, processorSeconds, peak };
}
