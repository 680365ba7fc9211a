import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** Bytes on their way from or to a command. */
export interface Flow {
  /** Settles once nothing flows any more: what went wrong on this program's side, or null. */
  done: Promise<{ error: unknown } | null>;
}

/**
 * Writes `source` to a command's stdin as fast as it reads; what the source gives must not be changed afterwards. A
 * command that ends before it has read everything is no failure here: its exit code tells. `onFailure` is called as
 * soon as the source fails.
 */
export function feed(stdin: Writable, source: AsyncIterable<Uint8Array>, onFailure: () => void): Flow {
  const closed = new Promise<null>((resolve) => {
    const ended = () => {
      resolve(null);
    };
    stdin.once('error', ended);
    stdin.once('close', ended);
  });
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
      if (!stdin.write(next.value)) await Promise.race([once(stdin, 'drain').catch(() => null), closed]);
    }
  };
  const done = copy().catch((error: unknown) => {
    onFailure();
    stdin.destroy();
    return { error };
  });
  return { done };
}

/**
 * Hands a command's stdout to `consumer`. `onFailure` is called as soon as that fails, unless everything had come by
 * then: what the command itself says is then more to the point.
 */
export function drain(
  stdout: Readable,
  consumer: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
  onFailure: () => void,
): Flow {
  const done = consumer(stdout as AsyncIterable<Uint8Array>).then(
    () => null,
    (error: unknown) => {
      if (!stdout.readableEnded) onFailure();
      stdout.destroy();
      return { error };
    },
  );
  return { done };
}
