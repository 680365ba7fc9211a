import type { Writable } from 'node:stream';
import type { PipeReader } from './pipe.js';

/** What went wrong on this program's side of a flow. */
export interface FlowFailure {
  error: unknown;
  /** Whether the command was in order until then, so that this says more than how the command ended. */
  first: boolean;
}

/** Bytes on their way from or to a command. */
export interface Flow {
  /** Settles once nothing flows any more. */
  done: Promise<FlowFailure | null>;
}

/** How long a command may take to end by itself once it has nothing to read, or to say, any more. */
const endingGraceMs = 5_000;

/**
 * Writes `source` to a command's stdin as fast as it reads; each piece is written before the next is asked for. A command
 * that ends before it has read everything is no failure here: its exit code tells. Where the source fails, stdin ends; `stop`
 * is called only if the command does not end by that, because what is killed cleans up nothing.
 *
 * @param staysOpen stdin does not end with the source, but only where that fails
 */
export function feed(
  stdin: Writable,
  source: AsyncIterable<Uint8Array>,
  staysOpen: boolean,
  stop: () => void,
): Flow {
  const reader = new Reader(stdin);
  const iterator = source[Symbol.asyncIterator]();
  const copy = async () => {
    for (;;) {
      const next = await reader.unlessGone(iterator.next());
      if (next === null) {
        // Not waited for: the source may be waiting for something that never comes.
        void iterator.return?.().catch(() => undefined);
        return null;
      }
      if (next.done === true) {
        if (!staysOpen) stdin.end();
        return null;
      }
      const written = new Promise<void>((resolve) => {
        stdin.write(next.value, () => {
          resolve();
        });
      });
      await reader.unlessGone(written);
    }
  };
  const done = copy().catch((error: unknown) => {
    stdin.end();
    setTimeout(stop, endingGraceMs).unref();
    return { error, first: true };
  });
  return { done };
}

/** Whoever reads what is written, and may be gone at any time. */
class Reader {
  #gone = false;
  /** Of the one wait that there is: a race with a promise that settles at the end would keep all that ever raced. */
  #wake: () => void = () => undefined;

  constructor(stdin: Writable) {
    const ended = () => {
      this.#gone = true;
      this.#wake();
    };
    stdin.once('error', ended);
    stdin.once('close', ended);
  }

  /** What the promise comes to, or null as soon as nobody reads any more. */
  unlessGone<T>(promise: Promise<T>): Promise<T | null> {
    if (this.#gone) {
      promise.catch(() => undefined);
      return Promise.resolve(null);
    }
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        resolve(null);
      };
      promise.then(resolve, reject);
    });
  }
}

/** All that comes, in memory of its own. */
export async function allBytes(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}

/**
 * Hands a command's stdout to `consumer`. `stop` is called as soon as that fails, but where all of stdout has come: then
 * only if the command does not end by itself, since how it ends may say more.
 */
export function drain(
  stdout: PipeReader,
  consumer: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
  stop: () => void,
): Flow {
  const done = consumer(stdout).then(
    () => null,
    (error: unknown) => {
      const first = !stdout.ended;
      if (first) stop();
      else setTimeout(stop, endingGraceMs).unref();
      return { error, first };
    },
  );
  // What is left is thrown away: a closed pipe would kill the command before it has cleaned up.
  void done.then(() => {
    stdout.discard();
  });
  return { done };
}
