import type { Stopper } from './ending.js';

const longestLineBytes = 1024 * 1024;

/** Reads a stream to its end, by lines where somebody listens; returns what was kept. */
export function collect(
  stream: NodeJS.ReadableStream | null,
  onLine: ((line: string, stop: () => void) => void) | undefined,
  stopper: Stopper,
  limitBytes: number,
  keep: 'head' | 'tail',
): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  let pending = '';
  let cut = false;
  const stop = () => {
    stopper.stop('enough', 'SIGINT');
  };
  const decoder = new TextDecoder();
  stream?.on('data', (chunk: Buffer) => {
    if (onLine !== undefined) {
      const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n');
      pending = (lines.pop() ?? '').slice(0, longestLineBytes);
      for (const line of lines) onLine(line, stop);
      if (keep === 'head') return;
    }
    chunks.push(chunk);
    size += chunk.length;
    if (size <= limitBytes) return;
    if (keep === 'head') stopper.stop('overflowed', 'SIGTERM');
    else
      while (chunks.length > 1 && size - (chunks[0]?.length ?? 0) > limitBytes) {
        size -= chunks.shift()?.length ?? 0;
        cut = true;
      }
  });
  stream?.on('end', () => {
    if (onLine !== undefined && pending !== '') onLine(pending, stop);
  });
  // A broken pipe ends the command by itself.
  stream?.on('error', () => undefined);
  return () => {
    const text = Buffer.concat(chunks).toString();
    // Half a line may be half a secret, which nobody would know for one.
    return cut ? text.slice(text.indexOf('\n') + 1) : text;
  };
}
