import { CephbackupError, messageOf } from '../../errors/error.js';
import { ExtentList } from '../../qcow2/extents.js';

/** The text that is looked at together; also the longest that is kept while its end has not come yet. Characters. */
const batchSize = 64 * 1024;
/** So many are remembered one by one: 128 MiB of them. */
const mostExtents = 2 ** 23;
const existence: ReadonlySet<unknown> = new Set([true, false, 'true', 'false']);

/** The objects that extents lie in, from their first byte to their last: for images with too many extents to remember. */
export class WholeObjects extends ExtentList {
  /** Bytes. */
  constructor(private readonly image: { size: number; objectSize: number }) {
    super();
  }

  /** @throws Qcow2Error INVALID_REQUEST where it lies before the objects that are there, or behind the image */
  add(offset: number, length: number): void {
    const { size, objectSize } = this.image;
    const first = Math.floor(offset / objectSize) * objectSize;
    const end = Math.min(Math.ceil((offset + length) / objectSize) * objectSize, size);
    if (offset + length <= this.end) return;
    this.push(Math.max(first, this.end), end - Math.max(first, this.end));
  }
}

/**
 * Reads what `rbd diff --format json` prints, as it comes: an array of `{"offset":0,"length":4096,"exists":"true"}`
 * (`exists` is a string up to Ceph 20; booleans are taken too). Of a diff from the beginning of time everything listed
 * counts, also what `exists` says to be zeros: `rbd export-diff` announces it as well.
 */
export class DiffParser {
  #extents: ExtentList | WholeObjects = new ExtentList();
  #pending = '';
  #begun = false;

  /**
   * @param image where it is known, more than `most` extents become the objects that they lie in
   */
  constructor(
    private readonly image: { size: number; objectSize: number } | null = null,
    private readonly most = mostExtents,
  ) {}

  /** @throws CephbackupError COMMAND_OUTPUT_INVALID */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += batchSize) {
      const text = this.#pending + chunk.toString('latin1', at, at + batchSize);
      const end = text.lastIndexOf('}') + 1;
      this.#pending = text.slice(end);
      if (this.#pending.length > batchSize) throw invalid('an entry does not end');
      if (end > 0) this.#batch(text.slice(0, end));
    }
  }

  /** The whole list: extents, or `WholeObjects`. @throws CephbackupError COMMAND_OUTPUT_INVALID where it is not complete */
  end(): ExtentList {
    const rest = this.#pending.trim();
    if (this.#begun ? rest !== ']' : !/^\[\s*\]$/.test(rest)) throw invalid('the list does not end');
    return this.#extents;
  }

  /** Whole entries, behind the array's bracket or the comma that separates them from those before. */
  #batch(text: string): void {
    const start = text.search(/\S/);
    if (text[start] !== (this.#begun ? ',' : '[')) throw invalid(`${text.slice(0, 20)} begins no entry`);
    this.#begun = true;
    for (const entry of parseArray(`[${text.slice(start + 1)}]`)) this.#add(entry);
  }

  #add(entry: unknown): void {
    const { offset, length, exists } = (entry ?? {}) as Record<string, unknown>;
    if (typeof offset !== 'number' || typeof length !== 'number' || !existence.has(exists)) {
      throw invalid(`${JSON.stringify(entry).slice(0, 200)} is no extent`);
    }
    try {
      if (this.#extents.count >= this.most) this.#extents = this.#rounded();
      if (this.#extents instanceof WholeObjects) this.#extents.add(offset, length);
      else this.#extents.push(offset, length);
    } catch (cause) {
      throw invalid(messageOf(cause));
    }
  }

  #rounded(): WholeObjects {
    if (this.#extents instanceof WholeObjects) return this.#extents;
    if (this.image === null) throw invalid(`more than ${this.most} extents`);
    const objects = new WholeObjects(this.image);
    for (const { start, length } of this.#extents) objects.add(start, length);
    return objects;
  }
}

function parseArray(text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[];
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message.slice(0, 200) : String(cause));
  }
}

function invalid(message: string): CephbackupError {
  return new CephbackupError('COMMAND_OUTPUT_INVALID', `rbd diff: ${message}`);
}
