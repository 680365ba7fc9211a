import { entryOutBytes, fileType, writeEntry } from './attributes.js';
import { writeNumber, type Range } from './protocol.js';
import { rootNode, type Attributes, type Entry, type Tree } from './tree.js';

/** struct fuse_dirent without the name */
const direntBytes = 24;

/**
 * The part of a directory that begins at `range.offset`, which counts entries, and fits into `range.length` bytes.
 * @param plus with the attributes of each entry (struct fuse_direntplus), so that nobody has to ask for them one by one
 */
export function directoryPart(tree: Tree, directory: number, range: Range, plus: boolean): Buffer {
  const parts: Buffer[] = [];
  let left = range.length;
  // `.` and `..` are looked up by nobody.
  const all: Entry[] = [
    { name: '.', node: directory },
    { name: '..', node: rootNode },
  ];
  const entries = tree.entries(directory);
  for (let at = range.offset; at < all.length + entries.length; at++) {
    const entry = at < all.length ? all[at] : entries[at - all.length];
    const attributes = entry === undefined ? null : tree.attributes(entry.node);
    if (entry === undefined || attributes === null) continue;
    const part = encode(entry, at + 1, attributes, plus, plus && at >= all.length);
    if (part.length > left) break;
    parts.push(part);
    left -= part.length;
  }
  return Buffer.concat(parts);
}

function encode({ name, node }: Entry, next: number, attributes: Attributes, plus: boolean, known: boolean) {
  const bytes = Buffer.from(name);
  const start = plus ? entryOutBytes : 0;
  const entry = Buffer.alloc(start + direntBytes + Math.ceil(bytes.length / 8) * 8);
  // An entry with node 0 tells only its name.
  if (known) writeEntry(entry, 0, node, attributes);
  writeNumber(entry, node, start);
  writeNumber(entry, next, start + 8);
  entry.writeUInt32LE(bytes.length, start + 16);
  entry.writeUInt32LE(fileType(attributes) >> 12, start + 20);
  bytes.copy(entry, start + direntBytes);
  return entry;
}
