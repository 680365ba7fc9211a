import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { run } from '../process.js';

/** One file of a tree, with everything that a backup must bring back. */
export interface Entry {
  type: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'block' | 'character';
  /** Octal, with setuid, setgid and sticky. */
  mode: string;
  owner: string;
  /** Nanoseconds since 1970. */
  mtime: bigint;
  /** Bytes; 0 for what is no regular file. */
  size: bigint;
  /** SHA-256 of a file's content, a symlink's target in hex, a device's number; else empty. */
  content: string;
  /** `name=0x…`, sorted; ACLs are among them. */
  attributes: string[];
  /** The first path (by bytes) of the same inode, where there are several; else empty. */
  linkedTo: string;
  /** Bytes that are allocated on disk. */
  allocated: bigint;
}

/** By path relative to the root, as latin1: every byte is one character, so that any name can be a key. */
export type Tree = Map<string, Entry>;

/** Reads a whole tree, without its root directory. */
export async function describeTree(root: string): Promise<Tree> {
  const tree: Tree = new Map();
  const attributes = await readAttributes(root);
  const firstPath = new Map<bigint, string>();
  for (const relative of await walk(Buffer.from(root))) {
    const file = join(Buffer.from(root), relative);
    const stats = await lstat(file, { bigint: true });
    const key = relative.toString('latin1');
    const type = typeOf(stats);
    const shared = type !== 'directory' && stats.nlink > 1n;
    const linkedTo = shared ? (firstPath.get(stats.ino) ?? key) : '';
    if (shared) firstPath.set(stats.ino, linkedTo);
    tree.set(key, {
      type,
      mode: (stats.mode & 0o7777n).toString(8),
      owner: `${stats.uid}:${stats.gid}`,
      mtime: stats.mtimeNs,
      size: type === 'file' ? stats.size : 0n,
      content: await content(type, file, stats.rdev),
      attributes: attributes.get(key) ?? [],
      linkedTo,
      allocated: type === 'file' ? stats.blocks * 512n : 0n,
    });
  }
  return tree;
}

/** Every path below `root`, relative to it, in the order of their bytes. */
async function walk(root: Buffer): Promise<Buffer[]> {
  const found: Buffer[] = [];
  const descend = async (directory: Buffer | null) => {
    const absolute = directory === null ? root : join(root, directory);
    const children = await readdir(absolute, { encoding: 'buffer', withFileTypes: true });
    children.sort((a, b) => Buffer.compare(a.name, b.name));
    for (const child of children) {
      const relative = directory === null ? child.name : join(directory, child.name);
      found.push(relative);
      if (child.isDirectory()) await descend(relative);
    }
  };
  await descend(null);
  return found;
}

function join(...parts: Buffer[]): Buffer {
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from('/'), part])));
}

interface FileTypes {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
  isBlockDevice(): boolean;
}

function typeOf(stats: FileTypes): Entry['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'block' : 'character';
}

async function content(type: Entry['type'], file: Buffer, device: bigint): Promise<string> {
  if (type === 'block' || type === 'character') return device.toString();
  if (type === 'symlink') return (await readlink(file, { encoding: 'buffer' })).toString('hex');
  if (type !== 'file') return '';
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** All extended attributes below `root`, by the same keys as a Tree. */
async function readAttributes(root: string): Promise<Map<string, string[]>> {
  const args = [
    '--recursive',
    '--physical',
    '--no-dereference',
    '--match=-',
    '--dump',
    '--encoding=hex',
    '.',
  ];
  const output = await run('getfattr', args, { cwd: root, encoding: 'latin1', timeout: 600_000 });
  const found = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of output.split('\n')) {
    const named = /^# file: (?:\.\/)?(.*)$/s.exec(line)?.[1];
    if (named !== undefined) {
      current = [];
      found.set(unescape(named), current);
      // xfs shows its own form of an ACL beside the common one.
    } else if (line !== '' && !line.startsWith('trusted.SGI_ACL_')) {
      current.push(unescape(line));
      current.sort();
    }
  }
  return found;
}

/** getfattr writes unusual bytes of names as `\ooo`. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
