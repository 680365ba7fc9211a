import { open, rename, writeFile } from 'node:fs/promises';

/** Somebody who writes all the time, until told to stop. */
export interface Writer {
  /** How often it has written. */
  count(): number;
  /** Does something between two writes. */
  between<T>(action: () => Promise<T>): Promise<T>;
  /** Waits for the write in progress. @throws whatever went wrong with a write */
  stop(): Promise<void>;
  /** Resolves when it was told to stop. @throws whatever went wrong with a write, as soon as that happens */
  readonly ended: Promise<void>;
}

/** Calls `write` with 1, 2, 3 ... with a pause of `interval` milliseconds in between. */
export function keepWriting(interval: number, write: (count: number) => Promise<void>): Writer {
  const state = { count: 0, stopped: false };
  let held: Promise<unknown> = Promise.resolve();
  let writing: Promise<void> = Promise.resolve();
  const whenFree = async () => {
    for (let seen: unknown = null; seen !== held;) {
      seen = held;
      await held;
    }
  };
  const loop = async () => {
    while (!state.stopped) {
      await whenFree();
      writing = write(state.count + 1);
      await writing;
      state.count++;
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
  };
  const ended = loop();
  // Told by `stop`, to whoever waits there.
  ended.catch(() => undefined);
  return {
    count: () => state.count,
    ended,
    between: (action) => {
      const done = writing.then(action);
      held = done.catch(() => undefined);
      return done;
    },
    stop: () => {
      state.stopped = true;
      return ended;
    },
  };
}

/**
 * Appends a line to `journal` in `folder`, and replaces `state.json` there by a rename, as a program does that must
 * survive a crash.
 */
export function keepCommitting(folder: string, interval: number): Writer {
  return keepWriting(interval, async (count) => {
    const journal = await open(`${folder}/journal`, 'a');
    try {
      await journal.write(`commit ${count} ${new Date().toISOString()}\n`);
      await journal.sync();
    } finally {
      await journal.close();
    }
    const next = `${folder}/state.json.new`;
    await writeFile(next, JSON.stringify({ commits: count, done: true }), { flush: true });
    await rename(next, `${folder}/state.json`);
  });
}
