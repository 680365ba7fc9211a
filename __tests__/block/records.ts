/** Pieces of a stream as `rbd export-diff` writes it, to build good and bad ones from. */

export const banner = Buffer.from('rbd diff v1\n');
export const end = Buffer.from('e');

function u64(...values: (number | bigint)[]): Buffer {
  const buffer = Buffer.alloc(8 * values.length);
  values.forEach((value, index) => buffer.writeBigUInt64LE(BigInt(value), 8 * index));
  return buffer;
}

export function snapshot(name: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(name));
  return Buffer.concat([Buffer.from('t'), length, Buffer.from(name)]);
}

export function size(bytes: number | bigint): Buffer {
  return Buffer.concat([Buffer.from('s'), u64(bytes)]);
}

export function data(offset: number | bigint, bytes: Buffer, length: number | bigint = bytes.length): Buffer {
  return Buffer.concat([Buffer.from('w'), u64(offset, length), bytes]);
}

export function zeros(offset: number | bigint, length: number | bigint): Buffer {
  return Buffer.concat([Buffer.from('z'), u64(offset, length)]);
}
