import { CephbackupError } from '../../errors/error.js';

/**
 * What a stream of `rbd export-diff` consists of, in version 1 (doc/dev/rbd-diff.rst of Ceph). Numbers are bytes.
 * The data of one record comes in as many parts as the stream was read in.
 */
export type ExportPart =
  | { type: 'snapshot'; name: string }
  | { type: 'size'; size: number }
  | { type: 'data'; offset: number; bytes: Buffer }
  | { type: 'zeros'; offset: number; length: number }
  | { type: 'end' };

const banner = Buffer.from('rbd diff v1\n');
/** RADOS allows snapshot names of 4 KiB at most; a longer one is no name. */
const longestName = 4096;

/** Of a record between its letter and its data. */
const fieldBytes: Partial<Record<string, number>> = { t: 4, s: 8, w: 16, z: 16, e: 0 };

/**
 * Takes a stream apart as it comes. Data is passed on as it is, without being copied: parts are views of the chunk given
 * to `push`. Nothing but the fields of one record (a name at most) is ever kept.
 */
export class ExportDiffParser {
  /** Bytes of the current field, where they come in several chunks. */
  readonly #field = Buffer.allocUnsafe(longestName);
  #filled = 0;
  /** How many bytes the current field has. */
  #wanted = banner.length;
  #state: 'banner' | 'letter' | 'fields' | 'name' | 'data' | 'ended' = 'banner';
  #letter = '';
  /** Where the data that comes next belongs, and how much of it is to come. */
  #offset = 0;
  #left = 0;

  /** Whether the record that ends the stream has come. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** @throws CephbackupError EXPORT_INVALID */
  *push(chunk: Buffer): Generator<ExportPart, void> {
    for (let at = 0; at < chunk.length;) {
      if (this.#state === 'data') {
        const bytes = chunk.subarray(at, at + this.#left);
        yield { type: 'data', offset: this.#offset, bytes };
        at += bytes.length;
        this.#offset += bytes.length;
        this.#left -= bytes.length;
        if (this.#left === 0) this.#expect('letter', 1);
        continue;
      }
      if (this.#state === 'ended') throw invalid('the stream goes on behind its end');
      const taken = chunk.copy(this.#field, this.#filled, at, at + this.#wanted - this.#filled);
      at += taken;
      this.#filled += taken;
      if (this.#filled < this.#wanted) return;
      const part = this.#complete(this.#field.subarray(0, this.#filled));
      if (part !== null) yield part;
    }
  }

  /** @throws CephbackupError EXPORT_INVALID where the stream ended too early */
  finish(): void {
    if (!this.ended) throw invalid('the stream ends too early');
  }

  #expect(state: 'letter' | 'fields' | 'name', bytes: number): void {
    this.#state = state;
    this.#wanted = bytes;
    this.#filled = 0;
  }

  /** A field is complete: says what it means, or null where more must come first. */
  #complete(field: Buffer): ExportPart | null {
    switch (this.#state) {
      case 'banner':
        if (!field.equals(banner)) throw invalid('it does not begin with `rbd diff v1`');
        this.#expect('letter', 1);
        return null;
      case 'letter': {
        this.#letter = field.toString('latin1');
        const bytes = fieldBytes[this.#letter];
        // `f`, too: this program never asks for a difference to an earlier snapshot.
        if (bytes === undefined) throw invalid(`unknown record 0x${field.toString('hex')}`);
        this.#expect('fields', bytes);
        return this.#letter === 'e' ? this.#end() : null;
      }
      case 'name':
        this.#expect('letter', 1);
        return { type: 'snapshot', name: field.toString() };
      default:
        return this.#fields(field);
    }
  }

  #end(): ExportPart {
    this.#state = 'ended';
    return { type: 'end' };
  }

  #fields(field: Buffer): ExportPart | null {
    if (this.#letter === 't') {
      const length = field.readUInt32LE();
      if (length === 0 || length > longestName) throw invalid(`a snapshot name of ${length} bytes`);
      this.#expect('name', length);
      return null;
    }
    const first = readUint64(field, 0);
    this.#expect('letter', 1);
    if (this.#letter === 's') return { type: 'size', size: first };
    const length = readUint64(field, 8);
    if (length === 0) throw invalid(`an empty record at ${first}`);
    if (this.#letter === 'z') return { type: 'zeros', offset: first, length };
    this.#state = 'data';
    this.#offset = first;
    this.#left = length;
    return null;
  }
}

function readUint64(field: Buffer, at: number): number {
  const value = field.readUInt32LE(at) + field.readUInt32LE(at + 4) * 2 ** 32;
  if (!Number.isSafeInteger(value)) throw invalid('an offset or length beyond 2^53');
  return value;
}

function invalid(message: string): CephbackupError {
  return new CephbackupError('EXPORT_INVALID', `rbd export-diff: ${message}`);
}
