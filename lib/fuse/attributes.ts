import { writeNumber } from './protocol.js';
import type { Attributes } from './tree.js';

const types = { file: 0o100000, directory: 0o040000 };
/** How long the kernel may rely on what it was told: nothing ever changes. */
const validSeconds = 24 * 60 * 60;

/** struct fuse_attr */
const attrBytes = 88;
/** struct fuse_attr_out */
export const attrOutBytes = 16 + attrBytes;
/** struct fuse_entry_out */
export const entryOutBytes = 40 + attrBytes;

export function attrReply(node: number, attributes: Attributes): Buffer {
  const reply = Buffer.alloc(attrOutBytes);
  writeNumber(reply, validSeconds, 0);
  writeAttr(reply, 16, node, attributes);
  return reply;
}

/** @param reply is zero from `at` on */
export function writeEntry(reply: Buffer, at: number, node: number, attributes: Attributes): void {
  writeNumber(reply, node, at);
  writeNumber(reply, validSeconds, at + 16);
  writeNumber(reply, validSeconds, at + 24);
  writeAttr(reply, at + 40, node, attributes);
}

export function fileType({ type }: Attributes): number {
  return types[type];
}

function writeAttr(reply: Buffer, at: number, node: number, attributes: Attributes): void {
  const { sizeBytes, mtime, mode } = attributes;
  writeNumber(reply, node, at);
  writeNumber(reply, sizeBytes, at + 8);
  writeNumber(reply, Math.ceil(sizeBytes / 512), at + 16);
  for (const [index, time] of [24, 32, 40].entries()) {
    // Two's complement, for times before 1970.
    reply.writeBigInt64LE(BigInt(mtime.seconds), at + time);
    reply.writeUInt32LE(mtime.nanoseconds, at + 48 + 4 * index);
  }
  reply.writeUInt32LE(fileType(attributes) | mode, at + 60);
  reply.writeUInt32LE(attributes.type === 'directory' ? 2 : 1, at + 64);
  reply.writeUInt32LE(4096, at + 80);
}
