import { CephbackupError } from '../errors/error.js';

/** Sees the regular files of an archive as they come. */
export interface TarVisitor {
  /** @param name as the header has it: names of more than 100 bytes are cut */
  file(name: string, sizeBytes: number): void;
  /** Bytes of the file that was told last; valid only during the call. */
  bytes(part: Uint8Array): void;
}

/** What an archive contained. */
export interface TarContent {
  /** Regular files, and what restic's archives show as empty ones (devices, FIFOs). */
  files: number;
  directories: number;
  /** Of all files together. */
  bytes: number;
}

const block = 512;
/** Extended headers carry a file's attributes; more than this is none. */
const longestExtensionBytes = 64 * 1024 * 1024;
/** Offsets and lengths of fields in a header: POSIX.1-2001, `pax`, section "ustar Interchange Format". */
const sizeField = { at: 124, length: 12 };
const checksumField = { at: 148, length: 8 };
const typeField = 156;

/**
 * Reads a tar archive as it comes, to its last byte, and keeps nothing of it: every header's checksum, the length of
 * every file, and the two blocks of zeros that only a complete archive has.
 */
export class TarReader {
  readonly content: TarContent = { files: 0, directories: 0, bytes: 0 };
  readonly #header = Buffer.alloc(block);
  #filled = 0;
  /** Bytes of the current file, or extension, that are still to come, with its padding. */
  #left = 0;
  /** The text of an extended header, while it comes. */
  #extension: { parts: Buffer[]; left: number } | null = null;
  /** The next file's size, where its own header cannot hold it. */
  #size: number | null = null;
  #zeroBlocks = 0;
  /** Bytes of the current file that are still to come, without padding. */
  #fileLeft = 0;

  constructor(private readonly visitor: TarVisitor | null = null) {}

  /** @throws CephbackupError BACKUP_DAMAGED */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const length = Math.min(this.#left, chunk.length - at);
        this.#extend(chunk, at, length);
        const ofFile = Math.min(length, this.#fileLeft);
        if (ofFile > 0) this.visitor?.bytes(chunk.subarray(at, at + ofFile));
        this.#fileLeft -= ofFile;
        this.#left -= length;
        at += length;
        continue;
      }
      const length = Math.min(block - this.#filled, chunk.length - at);
      this.#header.set(chunk.subarray(at, at + length), this.#filled);
      this.#filled += length;
      at += length;
      if (this.#filled < block) return;
      this.#filled = 0;
      this.#read(this.#header);
    }
  }

  /** @throws CephbackupError BACKUP_DAMAGED where the archive ended too early */
  finish(): TarContent {
    if (this.#zeroBlocks < 2 || this.#left > 0 || this.#filled > 0) throw broken('it ends too early');
    return this.content;
  }

  #extend(chunk: Uint8Array, at: number, length: number): void {
    if (this.#extension === null) return;
    const taken = Math.min(length, this.#extension.left);
    this.#extension.parts.push(Buffer.from(chunk.subarray(at, at + taken)));
    this.#extension.left -= taken;
    if (this.#extension.left > 0) return;
    this.#size = paxSize(Buffer.concat(this.#extension.parts)) ?? this.#size;
    this.#extension = null;
  }

  #read(header: Buffer): void {
    if (header.every((byte) => byte === 0)) {
      this.#zeroBlocks += 1;
      return;
    }
    if (this.#zeroBlocks > 0) throw broken('it goes on behind its end');
    if (numberIn(header, checksumField) !== checksum(header)) throw broken('a header has a wrong checksum');
    const type = String.fromCharCode(header[typeField] ?? 0);
    const size = this.#size ?? numberIn(header, sizeField);
    this.#left = Math.ceil(size / block) * block;
    if (type === 'x') {
      if (size > longestExtensionBytes) throw broken(`an extended header of ${size} bytes`);
      this.#extension = { parts: [], left: size };
      return;
    }
    this.#size = null;
    if (type === '5') this.content.directories += 1;
    if (type !== '0' && type !== '\0') return;
    this.content.files += 1;
    this.content.bytes += size;
    this.#fileLeft = size;
    const end = header.indexOf(0);
    this.visitor?.file(header.toString('utf8', 0, end < 0 || end > 100 ? 100 : end), size);
  }
}

/** Octal digits, or binary where the first bit is set (for what 11 octal digits cannot hold). */
function numberIn(header: Buffer, { at, length }: { at: number; length: number }): number {
  const first = header[at] ?? 0;
  if (first < 0x80) {
    const digits = header
      .toString('latin1', at, at + length)
      .replace(/[\0 ]+$/, '')
      .trimStart();
    if (!/^[0-7]*$/.test(digits)) throw broken('a header has a number that is none');
    return digits === '' ? 0 : Number.parseInt(digits, 8);
  }
  let value = first & 0x7f;
  for (let index = at + 1; index < at + length; index++) value = value * 256 + (header[index] ?? 0);
  if (!Number.isSafeInteger(value)) throw broken('a header has a number that is too large');
  return value;
}

/** The sum of all bytes, with the checksum's own counted as spaces. */
function checksum(header: Buffer): number {
  let sum = checksumField.length * 0x20;
  for (const byte of header) sum += byte;
  for (let index = 0; index < checksumField.length; index++) sum -= header[checksumField.at + index] ?? 0;
  return sum;
}

/** The record `size` of an extended header: `LENGTH NAME=VALUE\n`, LENGTH in bytes and of the whole record. */
function paxSize(text: Buffer): number | null {
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(0x20, at);
    const length = space < 0 ? NaN : Number(text.toString('latin1', at, space));
    if (!Number.isInteger(length) || length < 5 || at + length > text.length) {
      throw broken('an extended header is malformed');
    }
    const record = text.subarray(space + 1, at + length - 1);
    if (record.subarray(0, 5).toString('latin1') === 'size=') {
      const size = Number(record.toString('latin1', 5));
      if (!Number.isSafeInteger(size) || size < 0) throw broken('an extended header has a size that is none');
      return size;
    }
    at += length;
  }
  return null;
}

function broken(why: string): CephbackupError {
  return new CephbackupError(
    'BACKUP_DAMAGED',
    `the archive that restic makes of the files is broken: ${why}`,
  );
}
