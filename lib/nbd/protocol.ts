/**
 * The messages between an NBD client and its server: doc/proto.md of https://github.com/NetworkBlockDevice/nbd, "fixed
 * newstyle" negotiation and simple replies. Numbers are big-endian.
 */

/** `NBDMAGIC`, `IHAVEOPT` and 16 bits of flags. */
export const greetingBytes = 18;
/** Magic number, option, type, and the length of what follows. */
export const optionReplyBytes = 20;
/** Magic number, error, cookie. */
export const replyBytes = 16;

const nbdMagic = 'NBDMAGIC';
const optionMagic = 'IHAVEOPT';
const optionReplyMagic = 0x3e889045565a9n;
const [requestMagic, replyMagic] = [0x25609513, 0x67446698];

/** NBD_FLAG_FIXED_NEWSTYLE and NBD_FLAG_NO_ZEROES; the client's have the same numbers. */
const [fixedNewstyle, noZeroes] = [1, 2];
const optGo = 7;
const [repAck, repInfo, infoExport] = [1, 3, 0];
/** Types of replies with this bit are refusals. */
const refusal = 2 ** 31;
/** Nothing that a server says of an export is longer. */
const longestReply = 65_536;

/** @throws Error where no server with this negotiation speaks */
export function parseGreeting(bytes: Buffer): void {
  const known = bytes.toString('latin1', 0, 16) === nbdMagic + optionMagic;
  if (!known || (bytes.readUInt16BE(16) & fixedNewstyle) === 0)
    throw broken('the server speaks another protocol');
}

/** The client's flags, and its choice of an export. */
export function encodeGreeting(exportName: string): Buffer {
  const name = Buffer.from(exportName);
  const bytes = Buffer.alloc(4 + 16 + 4 + name.length + 2);
  bytes.writeUInt32BE(fixedNewstyle | noZeroes, 0);
  bytes.write(optionMagic, 4, 'latin1');
  bytes.writeUInt32BE(optGo, 12);
  bytes.writeUInt32BE(4 + name.length + 2, 16);
  bytes.writeUInt32BE(name.length, 20);
  name.copy(bytes, 24);
  return bytes;
}

/** @throws Error where the server refuses, or says what it must not */
export function parseOptionReply(bytes: Buffer): { type: 'acknowledged' | 'info'; length: number } {
  const [option, type, length] = [bytes.readUInt32BE(8), bytes.readUInt32BE(12), bytes.readUInt32BE(16)];
  if (bytes.readBigUInt64BE(0) !== optionReplyMagic || option !== optGo || length > longestReply)
    throw broken('a malformed answer');
  if (type >= refusal) throw broken(`the server refuses the export (${type - refusal})`);
  if (type !== repAck && type !== repInfo) throw broken(`an answer of the unknown type ${type}`);
  return { type: type === repAck ? 'acknowledged' : 'info', length };
}

/** The export's size in bytes, where that is what the answer tells. */
export function parseExportSize(type: 'acknowledged' | 'info', data: Buffer): number | null {
  if (type !== 'info' || data.length < 12 || data.readUInt16BE(0) !== infoExport) return null;
  return Number(data.readBigUInt64BE(2));
}

export function encodeRead(cookie: bigint, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(requestMagic, 0);
  bytes.writeBigUInt64BE(cookie, 8);
  bytes.writeBigUInt64BE(BigInt(offset), 16);
  bytes.writeUInt32BE(length, 24);
  return bytes;
}

/** @throws Error */
export function parseReply(bytes: Buffer): { failure: number; cookie: bigint } {
  if (bytes.readUInt32BE(0) !== replyMagic) throw broken('a malformed answer');
  return { failure: bytes.readUInt32BE(4), cookie: bytes.readBigUInt64BE(8) };
}

function broken(why: string): Error {
  return new Error(`NBD: ${why}`);
}
