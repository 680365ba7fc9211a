import { attrReply, entryOutBytes, writeEntry } from './attributes.js';
import { directoryPart } from './directory.js';
import {
  errno,
  openDirect,
  openReply,
  opcode,
  parseName,
  parseRange,
  statfsReply,
  type RequestHeader,
} from './protocol.js';
import type { Attributes, Tree } from './tree.js';

/** What a request is answered with: bytes, or a failure that the asking program sees as its errno. */
export type Answer = { body: readonly Uint8Array[] } | { failure: number };

/** The answer to one request that changes nothing about the connection. Never throws. */
export function answer(tree: Tree, header: RequestHeader, message: Buffer): Answer | Promise<Answer> {
  const attributes = tree.attributes(header.node);
  if (header.opcode === opcode.statfs) return body(statfsReply());
  if (attributes === null) return known.has(header.opcode) ? fail('ESTALE') : fail('ENOSYS');
  switch (header.opcode) {
    case opcode.getattr:
      return body(attrReply(header.node, attributes));
    case opcode.lookup:
      return lookup(tree, header.node, parseName(message));
    case opcode.open:
    case opcode.opendir:
      return body(openReply(attributes.type === 'file' ? openDirect : 0));
    case opcode.release:
    case opcode.releasedir:
      return { body: [] };
    case opcode.readdir:
    case opcode.readdirplus:
      return readDirectory(tree, header, message, attributes);
    case opcode.read:
      return read(tree, header.node, message, attributes);
    default:
      // The kernel remembers it, and does without.
      return fail('ENOSYS');
  }
}

const known = new Set<number>(Object.values(opcode));

function lookup(tree: Tree, directory: number, name: string): Answer {
  const node = tree.lookup(directory, name);
  const attributes = node === null ? null : tree.attributes(node);
  if (node === null || attributes === null) return fail('ENOENT');
  const reply = Buffer.alloc(entryOutBytes);
  writeEntry(reply, 0, node, attributes);
  return body(reply);
}

function readDirectory(tree: Tree, header: RequestHeader, message: Buffer, { type }: Attributes): Answer {
  const range = parseRange(message);
  if (range === null) return fail('EINVAL');
  if (type !== 'directory') return fail('ENOTDIR');
  return body(directoryPart(tree, header.node, range, header.opcode === opcode.readdirplus));
}

async function read(tree: Tree, node: number, message: Buffer, attributes: Attributes): Promise<Answer> {
  const range = parseRange(message);
  if (range === null) return fail('EINVAL');
  if (attributes.type === 'directory') return fail('EISDIR');
  const length = Math.min(range.length, attributes.sizeBytes - range.offset);
  if (length <= 0) return { body: [] };
  try {
    const parts = await tree.read(node, range.offset, length);
    // A short answer would be the file's end to the reader, or zeros.
    return parts.reduce((sum, part) => sum + part.length, 0) === length ? { body: parts } : fail('EIO');
  } catch {
    return fail('EIO');
  }
}

function body(bytes: Uint8Array): Answer {
  return { body: [bytes] };
}

function fail(name: keyof typeof errno): Answer {
  return { failure: errno[name] };
}
