import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { statePath } from './checkout.js';
import { killEverything } from './process.js';

/** A process that owns daemons and a folder; both end with it. */
export interface Owner {
  /** For whatever is kept while this process lives. */
  folder: string;
  /** Where temporary files of children go; below `folder`. */
  temporary: string;
  /** What to do before a signal ends everything; it gets a few seconds. */
  beforeSignal: (action: () => Promise<void>) => void;
}

/**
 * Runs `main`, whose result is the exit code, as what this process is for. When it ends, fails or is told to end,
 * everything that was started is killed and its folder removed. (Killed itself, its children die with it, and the next
 * owner removes the folder.)
 */
export async function own(main: (owner: Owner) => Promise<number>): Promise<never> {
  const folder = claimFolder();
  const temporary = path.join(folder, 'tmp');
  mkdirSync(temporary);
  let before: () => Promise<void> = () => Promise.resolve();
  process.once('exit', () => {
    killEverything();
    remove(folder);
  });
  const state = { ending: false };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Not once: npm passes on what the terminal has sent already, and that must not end the ending.
    process.on(signal, () => {
      if (state.ending) return;
      state.ending = true;
      const end = () => process.exit(128 + os.constants.signals[signal]);
      setTimeout(end, 10_000);
      before().then(end, end);
    });
  }
  const beforeSignal = (action: () => Promise<void>) => {
    before = action;
  };
  try {
    const code = await main({ folder, temporary, beforeSignal });
    if (!state.ending) process.exit(code);
  } catch (thrown) {
    // Once a signal has come, things fail because they are being ended.
    if (!state.ending) {
      console.error(thrown instanceof Error ? thrown.message : thrown);
      process.exit(1);
    }
  }
  return new Promise(() => undefined);
}

/** What was killed may take a moment to let go of its files, and may have written another one: all of it is tried again. */
function remove(folder: string): void {
  for (let tries = 1; ; tries += 1) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (thrown) {
      // The next owner removes it.
      if (tries === 50) throw thrown;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }
}

/** `.cache/run/PID-START` of the checkout; removes those whose owner is no more. */
function claimFolder(): string {
  const parent = path.join(statePath(), 'run');
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    const [pid = '', started] = name.split('-');
    if (startTime(pid) !== started) rmSync(path.join(parent, name), { recursive: true, force: true });
  }
  const folder = path.join(parent, `${process.pid}-${startTime('self') ?? ''}`);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** In clock ticks since boot: together with its id, it names a process for good. Null if there is none. */
export function startTime(pid: string): string | null {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return null;
  const stat = readFileSync(file, 'utf8');
  // Field 22 (proc(5)); the second one, the name, may have spaces, but ends with the last parenthesis.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}
