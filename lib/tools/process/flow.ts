import type { Readable, Writable } from 'node:stream';

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

/** What may wait for a command that is busy, so that whoever comes before it need not wait. */
const bufferedBytes = 16 * 1024 * 1024;
/** How long a command may take to end by itself once it has nothing to read, or to say, any more. */
const endingGraceMs = 5_000;

/**
 * Writes `source` to a command's stdin as fast as it reads; what the source gives must not be changed afterwards. A
 * command that ends before it has read everything is no failure here: its exit code tells. Where the source fails, stdin
 * ends; `stop` is called only if the command does not end by that, because what is killed cleans up nothing.
 */
export function feed(stdin: Writable, source: AsyncIterable<Uint8Array>, stop: () => void): Flow {
  const closed = new Promise<null>((resolve) => {
    const ended = () => {
      resolve(null);
    };
    stdin.once('error', ended);
    stdin.once('close', ended);
  });
  let pending = 0;
  let wake: () => void = () => undefined;
  const iterator = source[Symbol.asyncIterator]();
  const copy = async () => {
    for (;;) {
      const next = await Promise.race([iterator.next(), closed]);
      if (next === null) {
        // Not waited for: the source may be waiting for something that never comes.
        void iterator.return?.().catch(() => undefined);
        return null;
      }
      if (next.done === true) {
        stdin.end();
        return null;
      }
      const { length } = next.value;
      pending += length;
      stdin.write(next.value, () => {
        pending -= length;
        wake();
      });
      while (pending > bufferedBytes && !stdin.destroyed) {
        await Promise.race([new Promise<void>((resolve) => (wake = resolve)), closed]);
      }
    }
  };
  const done = copy().catch((error: unknown) => {
    stdin.end();
    setTimeout(stop, endingGraceMs).unref();
    return { error, first: true };
  });
  return { done };
}

/**
 * Hands a command's stdout to `consumer`. `stop` is called as soon as that fails, but where all of stdout has come: then
 * only if the command does not end by itself, since how it ends may say more.
 */
export function drain(
  stdout: Readable,
  consumer: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
  stop: () => void,
): Flow {
  const chunks = stdout.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>;
  // Asked for at once: what nobody reads is thrown away, also where the consumer has other things to do first.
  const first = chunks.next();
  first.catch(() => undefined);
  const done = consumer(from(first, chunks)).then(
    () => null,
    (error: unknown) => {
      const first = !stdout.readableEnded;
      if (first) stop();
      else setTimeout(stop, endingGraceMs).unref();
      return { error, first };
    },
  );
  // What is left is thrown away: a closed pipe would kill the command before it has cleaned up.
  void done.then(async () => {
    await chunks.return?.();
    stdout.resume();
  });
  return { done };
}

async function* from<T>(first: Promise<IteratorResult<T>>, rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  const result = await first;
  if (result.done === true) return;
  yield result.value;
  yield* rest;
}
