/**
 * The messages between the kernel and a FUSE server: linux include/uapi/linux/fuse.h, version 7.31 of the protocol;
 * what they mean is in Documentation/filesystems/fuse of the kernel and in fuse(4). Numbers are in the machine's order,
 * which is little-endian wherever this program runs.
 */
export const opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  open: 14,
  read: 15,
  statfs: 17,
  release: 18,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  readdirplus: 44,
} as const;

/** asm-generic/errno-base.h, errno.h */
export const errno = {
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOSYS: 38,
  EPROTO: 71,
  ESTALE: 116,
} as const;

/** The least buffer that the kernel lets a server read into (FUSE_MIN_READ_BUFFER), and no request here is longer. */
export const requestBytes = 8192;
/** struct fuse_in_header */
export const inHeaderBytes = 40;
/** struct fuse_out_header */
export const outHeaderBytes = 16;
/** The most that one READ asks for: FUSE_MAX_PAGES of 4 KiB, the kernel's own limit unless it was raised. */
export const maxReadBytes = 1024 * 1024;

const version = { major: 7, minor: 31 };
const flags = { asyncRead: 1 << 0, doReaddirplus: 1 << 13, parallelDirops: 1 << 18, maxPages: 1 << 22 };
const maxPages = maxReadBytes / 4096;

export interface RequestHeader {
  opcode: number;
  /** Names the request to the kernel; a 64-bit number that is only ever handed back. */
  unique: bigint;
  node: number;
}

/** Null where the message is no request of this protocol. */
export function parseHeader(message: Buffer): RequestHeader | null {
  if (message.length < inHeaderBytes || message.readUInt32LE(0) !== message.length) return null;
  return {
    opcode: message.readUInt32LE(4),
    unique: message.readBigUInt64LE(8),
    node: readNumber(message, 16),
  };
}

/** What LOOKUP asks for: a name that ends with a zero byte. */
export function parseName(message: Buffer): string {
  const end = message.indexOf(0, inHeaderBytes);
  return message.toString('utf8', inHeaderBytes, end < 0 ? message.length : end);
}

export interface Range {
  offset: number;
  length: number;
}

/** struct fuse_read_in, of READ, READDIR and READDIRPLUS. Null where the message is too short. */
export function parseRange(message: Buffer): Range | null {
  if (message.length < inHeaderBytes + 20) return null;
  return { offset: readNumber(message, inHeaderBytes + 8), length: message.readUInt32LE(inHeaderBytes + 16) };
}

/** struct fuse_interrupt_in: the request that nobody waits for any more. */
export function parseInterrupted(message: Buffer): bigint | null {
  return message.length < inHeaderBytes + 8 ? null : message.readBigUInt64LE(inHeaderBytes);
}

/** struct fuse_out_header; `failure` is an errno, or 0. */
export function replyHeader(unique: bigint, failure: number, bodyBytes: number): Buffer {
  const header = Buffer.allocUnsafe(outHeaderBytes);
  header.writeUInt32LE(outHeaderBytes + bodyBytes, 0);
  header.writeInt32LE(-failure, 4);
  header.writeBigUInt64LE(unique, 8);
  return header;
}

/**
 * The answer to INIT (struct fuse_init_in and fuse_init_out), or null for a kernel with another protocol. A newer minor
 * version is the kernel's to come down from.
 */
export function initReply(message: Buffer): Buffer | null {
  if (message.length < inHeaderBytes + 16) return null;
  const [major, minor, readahead, offered] = [0, 4, 8, 12].map((at) =>
    message.readUInt32LE(inHeaderBytes + at),
  ) as [number, number, number, number];
  // max_pages came with 7.28.
  if (major !== version.major || minor < 28) return null;
  const wanted = flags.asyncRead | flags.doReaddirplus | flags.parallelDirops | flags.maxPages;
  const reply = Buffer.alloc(64);
  reply.writeUInt32LE(version.major, 0);
  reply.writeUInt32LE(Math.min(minor, version.minor), 4);
  reply.writeUInt32LE(readahead, 8);
  reply.writeUInt32LE((wanted & offered) >>> 0, 12);
  // max_background and congestion_threshold, max_write, time_gran, max_pages
  reply.writeUInt16LE(16, 16);
  reply.writeUInt16LE(12, 18);
  reply.writeUInt32LE(4096, 20);
  reply.writeUInt32LE(1, 24);
  reply.writeUInt16LE(maxPages, 28);
  return reply;
}

/** struct fuse_open_out: the file handle is of no use here. */
export function openReply(flags: number): Buffer {
  const reply = Buffer.alloc(16);
  reply.writeUInt32LE(flags, 8);
  return reply;
}

/** FOPEN_DIRECT_IO: what a program reads is asked for as it is, and kept in no cache. */
export const openDirect = 1;

/** struct fuse_kstatfs */
export function statfsReply(): Buffer {
  const reply = Buffer.alloc(80);
  reply.writeUInt32LE(4096, 40);
  reply.writeUInt32LE(255, 44);
  reply.writeUInt32LE(4096, 48);
  return reply;
}

/** 64 bits of the message as a number; beyond 2^53 not exact, and then of no node, and behind every file's end. */
function readNumber(message: Buffer, at: number): number {
  return message.readUInt32LE(at) + message.readUInt32LE(at + 4) * 2 ** 32;
}

export function writeNumber(message: Buffer, value: number, at: number): void {
  message.writeUInt32LE(value % 2 ** 32, at);
  message.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}
