import { Qcow2Error } from './errors.js';
import type { Layout } from './layout.js';
import { metadataBlocks, toBoundary, zeroBlocks } from './metadata.js';

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
  const padding = new Padding(layout, sink);
  let extent = 0;
  /** Bytes that the current extent still lacks. */
  let missing = 0;
  for await (const chunk of source) {
    for (let used = 0; used < chunk.length;) {
      if (missing === 0) {
        if (extent === layout.extents.count) {
          throw new Qcow2Error('SOURCE_MISMATCH', `more than the ${layout.extents.bytes} bytes announced`);
        }
        missing = layout.extents.length(extent);
        await padding.before(layout.extents.offset(extent));
        extent++;
      }
      const size = Math.min(missing, chunk.length - used);
      const taken = sink(size === chunk.length ? chunk : chunk.subarray(used, used + size));
      if (taken !== undefined) await taken;
      padding.position += size;
      missing -= size;
      used += size;
    }
  }
  if (missing > 0 || extent < layout.extents.count) {
    throw new Qcow2Error('SOURCE_MISMATCH', `fewer than the ${layout.extents.bytes} bytes announced`);
  }
  await padding.end();
}

/** Fills clusters up with zeros around the data. */
class Padding {
  /** Where on the disk the bytes written so far end. */
  position = 0;

  constructor(
    private readonly layout: Layout,
    private readonly sink: Sink,
  ) {}

  /** Goes on to `offset`: clusters that nothing touches are left out. */
  async before(offset: number): Promise<void> {
    const { clusterSize } = this.layout;
    const cluster = offset - (offset % clusterSize);
    if (cluster > this.position) {
      await this.end();
      this.position = cluster;
    }
    await this.#zeros(offset - this.position);
    this.position = offset;
  }

  /** Completes the cluster that was begun. */
  async end(): Promise<void> {
    await this.#zeros(toBoundary(this.position, this.layout.clusterSize));
  }

  async #zeros(count: number): Promise<void> {
    for (const block of zeroBlocks(count)) await this.sink(block);
  }
}
