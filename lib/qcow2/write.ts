import { dataRuns } from './data-runs.js';
import { Qcow2Error } from './errors.js';
import type { Layout } from './layout.js';
import { metadataBlocks, zeroBlocks } from './metadata.js';

/** Takes bytes, in order. They are valid until the returned promise resolves (or, without one, until it returns). */
export type Sink = (bytes: Uint8Array) => void | Promise<void>;

/** The bytes of all extents of the layout, in order and without anything in between, in pieces of any size. */
export type Source = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes the image, `layout.length` bytes. The sink sets the pace: nothing is read from the source before the sink has
 * taken what came before. Data is passed on as it is, without being copied.
 *
 * @throws Qcow2Error SOURCE_MISMATCH where the source ends too early or too late; whatever source and sink throw
 */
export async function writeImage(layout: Layout, source: Source, sink: Sink): Promise<void> {
  for (const block of metadataBlocks(layout)) {
    const taken = sink(block);
    if (taken !== undefined) await taken;
  }
  const parts = dataParts(layout);
  const zeros = async (count: number) => {
    for (const block of zeroBlocks(count)) await sink(block);
  };
  /** Bytes of data that the current part still lacks. */
  let missing = 0;
  for await (const chunk of source) {
    for (let used = 0; used < chunk.length;) {
      if (missing === 0) {
        const part = parts.next();
        if (part.done === true) throw mismatch('more', layout);
        await zeros(part.value.zeros);
        missing = part.value.data;
      }
      const size = Math.min(missing, chunk.length - used);
      const taken = sink(size === chunk.length ? chunk : chunk.subarray(used, used + size));
      if (taken !== undefined) await taken;
      missing -= size;
      used += size;
    }
  }
  const end = parts.next();
  if (missing > 0 || end.done !== true) throw mismatch('fewer', layout);
  await zeros(end.value);
}

/** Bytes of the file: zeros, then data. */
interface DataPart {
  zeros: number;
  data: number;
}

/** Everything behind the metadata: gaps, and extents with the zeros that fill their clusters up. Returns the last zeros. */
function* dataParts({ extents, clusterSize }: Layout): Generator<DataPart, number> {
  let zeros = 0;
  let extent = 0;
  for (const run of dataRuns(extents, clusterSize)) {
    zeros += run.gap * clusterSize;
    let position = run.start * clusterSize;
    const end = position + run.length * clusterSize;
    while (extent < extents.count && extents.offset(extent) < end) {
      const start = Math.max(position, extents.offset(extent));
      const extentEnd = extents.offset(extent) + extents.length(extent);
      const stop = Math.min(extentEnd, end);
      yield { zeros: zeros + start - position, data: stop - start };
      zeros = 0;
      position = stop;
      if (extentEnd > end) break;
      extent++;
    }
    zeros += end - position;
  }
  return zeros;
}

function mismatch(what: 'more' | 'fewer', { extents }: Layout): Qcow2Error {
  return new Qcow2Error('SOURCE_MISMATCH', `${what} than the ${extents.bytes} bytes announced`);
}
