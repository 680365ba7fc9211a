import type { Writable } from 'node:stream';
import { unlessAborted } from '../../waiting/within.js';
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
  const gone = new AbortController();
  const ended = () => {
    gone.abort();
  };
  stdin.once('error', ended);
  stdin.once('close', ended);
  const iterator = source[Symbol.asyncIterator]();
  const copy = async () => {
    for (;;) {
      gone.signal.throwIfAborted();
      const next = await unlessAborted(iterator.next(), gone.signal);
      if (next.done === true) break;
      // Also called where stdin is closed before.
      await new Promise<void>((resolve) => {
        stdin.write(next.value, () => {
          resolve();
        });
      });
    }
    if (!staysOpen) stdin.end();
    return null;
  };
  const done = copy().catch((error: unknown) => {
    if (error === gone.signal.reason) {
      // Not waited for: the source may be waiting for something that never comes.
      void iterator.return?.().catch(() => undefined);
      return null;
    }
    stdin.end();
    setTimeout(stop, endingGraceMs).unref();
    return { error, first: true };
  });
  return { done };
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
