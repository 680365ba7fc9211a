import { ExportDiffParser } from '../../volumes/block/export-diff.js';
import type { RbdWriter } from '../../tools/rbd/write.js';
import type { ImageSpec } from '../../tools/rbd/image-spec.js';
import { ContentDigest } from './content-digest.js';

interface ReadOptions {
  signal: AbortSignal;
  /** So many bytes of data came. */
  moved: (bytes: number) => void;
}

/** The digest of what an image holds now. @throws CephbackupError EXPORT_INVALID, COMMAND_FAILED … */
export async function digestImage(
  writer: RbdWriter,
  image: ImageSpec,
  { signal, moved }: ReadOptions,
): Promise<ReadonlyMap<number, string>> {
  const digest = new ContentDigest();
  await readImage(writer, image, signal, (offset, bytes) => {
    digest.push(offset, bytes);
    moved(bytes.length);
  });
  return digest.finish();
}

/** Whether there is nothing but zeros in an image. */
export async function isBlank(writer: RbdWriter, image: ImageSpec, signal: AbortSignal): Promise<boolean> {
  const found = new Error('there is data');
  try {
    await readImage(writer, image, signal, (_, bytes) => {
      if (bytes.some((byte) => byte !== 0)) throw found;
    });
    return true;
  } catch (thrown) {
    if (thrown === found) return false;
    throw thrown;
  }
}

async function readImage(
  writer: RbdWriter,
  image: ImageSpec,
  signal: AbortSignal,
  onData: (offset: number, bytes: Buffer) => void,
): Promise<void> {
  const parser = new ExportDiffParser();
  await writer.exportDiff(
    image,
    async (chunks) => {
      for await (const chunk of chunks) {
        for (const part of parser.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) {
          if (part.type === 'data') onData(part.offset, part.bytes);
        }
      }
      parser.finish();
    },
    { signal },
  );
}
