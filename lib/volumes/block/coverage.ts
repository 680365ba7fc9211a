import { CephbackupError } from '../../errors/error.js';
import type { ExtentList } from '../../qcow2/extents.js';
import type { ExportPart } from './export-diff.js';

/** What is expected of the stream. */
export interface Expected {
  snapshot: string;
  /** Exact size of the snapshot in bytes. */
  sizeBytes: number;
  extents: ExtentList;
}

/** Zeros are handed out in parts of this size. */
const zeros = Buffer.alloc(256 * 1024);

/**
 * Holds the parts of an export against the plan, and turns them into the bytes of the planned extents: data and zeros
 * together must cover them exactly, in order. (`rbd export-diff` announces as zeros what it has read and found to be.)
 */
export class Coverage {
  /** The extent that is being covered, and how much of it is. */
  #extent = 0;
  #covered = 0;
  /** What the stream has told of itself. */
  readonly #told = { snapshot: false, size: false };

  /** Of the planned extents, those that have come. */
  bytes = 0;

  constructor(private readonly expected: Expected) {}

  /** The bytes that a part stands for. @throws CephbackupError EXPORT_INVALID where it is not what was planned */
  *bytesOf(part: ExportPart): Generator<Buffer, void> {
    switch (part.type) {
      case 'snapshot':
        if (part.name !== this.expected.snapshot) throw contradiction('it is of another snapshot');
        this.#told.snapshot = true;
        return;
      case 'size':
        if (part.size !== this.expected.sizeBytes) throw contradiction(`the size is ${part.size}`);
        this.#told.size = true;
        return;
      case 'data':
        this.#take(part.offset, part.bytes.length);
        yield part.bytes;
        return;
      case 'zeros':
        this.#take(part.offset, part.length);
        for (let left = part.length; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
        return;
      case 'end':
        // An export of the live image names no snapshot.
        if (!this.#told.snapshot) throw contradiction('it is of no snapshot');
        if (!this.#told.size) throw contradiction('it does not tell the size');
        if (this.#extent < this.expected.extents.count)
          throw contradiction(`nothing for ${this.#position()}`);
    }
  }

  #take(offset: number, length: number): void {
    const { extents } = this.expected;
    const left = extents.length(this.#extent) - this.#covered;
    if (this.#extent >= extents.count || offset !== this.#position() || length > left) {
      throw contradiction(`${length} bytes at ${offset} where ${left} at ${this.#position()} are due`);
    }
    this.#covered += length;
    this.bytes += length;
    if (length < left) return;
    this.#extent++;
    this.#covered = 0;
  }

  /** Where the next byte is due. */
  #position(): number {
    return this.expected.extents.offset(this.#extent) + this.#covered;
  }
}

function contradiction(message: string): CephbackupError {
  return new CephbackupError('EXPORT_INVALID', `rbd export-diff contradicts the plan: ${message}`);
}
