import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { rootNode, type Attributes, type Entry, type Tree } from '../../fuse/tree.js';
import { segmentLength, segmentPath, type DiskFacts } from '../../volumes/block/segments/format.js';
import { diskFile } from './command.js';

const diskNode = 2;
const sector = 512;
const mtime = { seconds: 0, nanoseconds: 0 };

/** A disk as one file, read from the files of its segments (docs/formats.md): one that has none is zeros. */
export class SegmentedFile implements Tree {
  /** As QEMU and loop devices count. */
  readonly sizeBytes: number;

  /** @param folder with the segments' files */
  constructor(
    private readonly folder: string,
    private readonly facts: DiskFacts,
  ) {
    this.sizeBytes = Math.ceil(facts.sizeBytes / sector) * sector;
  }

  attributes(node: number): Attributes | null {
    if (node === rootNode) return { type: 'directory', mode: 0o500, sizeBytes: 0, mtime };
    return node === diskNode ? { type: 'file', mode: 0o400, sizeBytes: this.sizeBytes, mtime } : null;
  }

  lookup(directory: number, name: string): number | null {
    return directory === rootNode && name === diskFile ? diskNode : null;
  }

  entries(directory: number): Entry[] {
    return directory === rootNode ? [{ name: diskFile, node: diskNode }] : [];
  }

  async read(_file: number, offset: number, length: number): Promise<readonly Uint8Array[]> {
    const bytes = Buffer.alloc(length);
    const end = Math.min(offset + length, this.facts.sizeBytes);
    for (let at = offset; at < end;) {
      const index = Math.floor(at / this.facts.segmentBytes);
      const start = index * this.facts.segmentBytes;
      const upTo = Math.min(end, start + segmentLength(this.facts, index));
      await this.#fill(bytes.subarray(at - offset, upTo - offset), index, at - start);
      at = upTo;
    }
    return [bytes];
  }

  /** Leaves zeros where the disk has no data. */
  async #fill(bytes: Buffer, index: number, offset: number): Promise<void> {
    const segment = await openSegment(path.join(this.folder, segmentPath(index)));
    if (segment === null) return;
    try {
      for (let filled = 0; filled < bytes.length;) {
        const { bytesRead } = await segment.read(bytes, filled, bytes.length - filled, offset + filled);
        if (bytesRead === 0) throw new Error(`segment ${index} is too short`);
        filled += bytesRead;
      }
    } finally {
      await segment.close();
    }
  }
}

/** What cannot be opened for another reason than that it is not there is an error of whoever reads. */
async function openSegment(file: string): Promise<FileHandle | null> {
  try {
    return await open(file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}
