import type { Attributes, Entry, Tree } from '../../../fuse/tree.js';
import { rootNode } from '../../../fuse/tree.js';
import {
  diskFolder,
  factsTime,
  formatFacts,
  hexName,
  imageFile,
  segmentsPerFolder,
  type DiskFacts,
  type Time,
} from './format.js';
import type { Segment } from './plan.js';

const [diskNode, imageNode, firstFolder, firstSegment] = [2, 3, 1024, 1_048_576];
const epoch = { seconds: 0, nanoseconds: 0 };
/** Times that never change, so that the folder of unchanged segments stays the same tree for restic. */
const folderAttributes: Attributes = { type: 'directory', mode: 0o500, sizeBytes: 0, mtime: epoch };

/** The bytes of the image, from wherever they come; what it rejects with fails the read. */
export type ReadImage = (offset: number, length: number) => Promise<readonly Uint8Array[]>;

/**
 * The folder that restic reads: true bytes of the snapshot in every file, whether they are expected to be asked for or not.
 * Numbers of nodes come from segments alone, so that they are the same in every run.
 */
export class SegmentView implements Tree {
  readonly #segments: Map<number, Segment>;
  readonly #folders: Map<number, number[]>;
  readonly #image: Buffer;
  /** Bytes that were given, by segment: so many from its beginning, without a gap. */
  #given = new Map<number, number>();

  constructor(
    private readonly facts: DiskFacts,
    segments: readonly Segment[],
    private readonly readImage: ReadImage,
    private readonly imageTime: Time,
  ) {
    this.#image = Buffer.from(formatFacts(facts));
    this.#segments = new Map(segments.map((segment) => [segment.index, segment]));
    this.#folders = new Map();
    for (const { index } of segments) {
      const folder = Math.floor(index / segmentsPerFolder);
      const inside = this.#folders.get(folder);
      if (inside === undefined) this.#folders.set(folder, [index]);
      else inside.push(index);
    }
  }

  attributes(node: number): Attributes | null {
    if (node === rootNode) return folderAttributes;
    if (node === diskNode) return { ...folderAttributes, mtime: this.imageTime };
    if (node === imageNode)
      return { type: 'file', mode: 0o400, sizeBytes: this.#image.length, mtime: factsTime(this.facts) };
    if (node < firstSegment) return this.#folders.has(node - firstFolder) ? folderAttributes : null;
    const segment = this.#segments.get(node - firstSegment);
    if (segment === undefined) return null;
    return { type: 'file', mode: 0o400, sizeBytes: segment.sizeBytes, mtime: segment.mtime };
  }

  lookup(directory: number, name: string): number | null {
    if (directory === rootNode) return name === diskFolder ? diskNode : null;
    if (directory === diskNode && name === imageFile) return imageNode;
    if (!/^[0-9a-f]{8}$/.test(name)) return null;
    const number = parseInt(name, 16);
    if (directory === diskNode) return this.#folders.has(number) ? firstFolder + number : null;
    const inside = Math.floor(number / segmentsPerFolder) === directory - firstFolder;
    return inside && this.#segments.has(number) ? firstSegment + number : null;
  }

  entries(directory: number): Entry[] {
    if (directory === rootNode) return [{ name: diskFolder, node: diskNode }];
    if (directory !== diskNode) {
      const inside = this.#folders.get(directory - firstFolder) ?? [];
      return inside.map((index) => ({ name: hexName(index), node: firstSegment + index }));
    }
    const folders = [...this.#folders.keys()].map((folder) => ({
      name: hexName(folder),
      node: firstFolder + folder,
    }));
    return [...folders, { name: imageFile, node: imageNode }];
  }

  async read(file: number, offset: number, length: number): Promise<readonly Uint8Array[]> {
    if (file === imageNode) return [this.#image.subarray(offset, offset + length)];
    const index = file - firstSegment;
    const given = this.#given;
    const bytes = await this.readImage(index * this.facts.segmentBytes + offset, length);
    // A reader that was interrupted asks again.
    const until = given.get(index) ?? 0;
    if (offset <= until) given.set(index, Math.max(until, offset + length));
    return bytes;
  }

  /** Another reader comes: what the one before was given does not count, nor what it still waits for. */
  begin(): void {
    this.#given = new Map();
  }

  /** Segments of which every byte was given since the last `begin`. */
  complete(): number[] {
    return [...this.#segments.values()]
      .filter(({ index, sizeBytes }) => (this.#given.get(index) ?? 0) >= sizeBytes)
      .map(({ index }) => index);
  }
}
