import { createCipheriv, createDecipheriv, createHash, randomBytes, scryptSync } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Repository } from './repository.js';

/** A node of a restic tree; see restic's doc/design.rst, "Trees and Data". Nothing here is checked. */
export interface ForgedNode {
  name: string;
  type: 'file' | 'dir' | 'symlink' | 'dev' | 'chardev' | 'fifo';
  /** Of a file. */
  content?: Buffer;
  /** Of a directory. */
  children?: ForgedNode[];
  linktarget?: string;
  device?: number;
}

/** The master key of a repository. */
export interface Keys {
  encrypt: Buffer;
  /** Of Poly1305-AES. */
  k: Buffer;
  r: Buffer;
}

export interface ForgedSnapshot {
  tags: readonly string[];
  /** RFC 3339. */
  time: string;
}

/**
 * Writes a snapshot with a tree that no `restic backup` would ever make: what somebody can put into a repository who has
 * its password. Format: restic's doc/design.rst.
 *
 * @returns the id of the snapshot
 */
export async function forgeSnapshot(
  repository: Repository,
  root: readonly ForgedNode[],
  described: ForgedSnapshot,
): Promise<string> {
  const [id = ''] = await forgeSnapshots(repository, root, [described]);
  return id;
}

/** Many snapshots of one tree, far faster than restic makes them. */
export async function forgeSnapshots(
  repository: Repository,
  root: readonly ForgedNode[],
  described: readonly ForgedSnapshot[],
): Promise<string[]> {
  const folder = repository.env.RESTIC_REPOSITORY;
  const keys = await openKeys(repository);
  const pack = new Pack(keys);
  const tree = pack.addTree(root);
  const packId = await save(folder, 'data', pack.finish());
  const index = { packs: [{ id: packId, blobs: pack.blobs }] };
  await save(folder, 'index', seal(keys, Buffer.from(JSON.stringify(index))));
  const ids: string[] = [];
  for (const { time, tags } of described) {
    const snapshot = { time, tree, paths: ['/run/cephbackup/volume'], hostname: 'forged', tags };
    ids.push(await save(folder, 'snapshots', seal(keys, Buffer.from(JSON.stringify(snapshot)))));
  }
  return ids;
}

/**
 * A lock of somebody else, as old as one that nobody renews any more becomes in time [restic internal/repository/lock.go].
 *
 * @returns its file
 */
export async function forgeLock(
  repository: Repository,
  { host, pid, exclusive, ageMs }: { host: string; pid: number; exclusive: boolean; ageMs: number },
): Promise<string> {
  const time = new Date(Date.now() - ageMs).toISOString();
  const lock = { time, exclusive, hostname: host, username: 'root', pid, uid: 0, gid: 0 };
  const keys = await openKeys(repository);
  const folder = repository.env.RESTIC_REPOSITORY;
  const id = await save(folder, 'locks', seal(keys, Buffer.from(JSON.stringify(lock))));
  return path.join(folder, 'locks', id);
}

class Pack {
  readonly blobs: { id: string; type: 'data' | 'tree'; offset: number; length: number }[] = [];
  readonly #parts: Buffer[] = [];
  #offset = 0;

  constructor(private readonly keys: Keys) {}

  addTree(nodes: readonly ForgedNode[]): string {
    const described = nodes.map(({ content, children, ...node }) => ({
      mode: node.type === 'dir' ? 2 ** 31 + 0o755 : 0o644,
      mtime: '2026-01-01T00:00:00Z',
      atime: '2026-01-01T00:00:00Z',
      ctime: '2026-01-01T00:00:00Z',
      uid: 0,
      gid: 0,
      ...node,
      content: content === undefined || content.length === 0 ? null : [this.#add('data', content)],
      ...(content === undefined ? {} : { size: content.length }),
      ...(children === undefined ? {} : { subtree: this.addTree(children) }),
    }));
    return this.#add('tree', Buffer.from(`${JSON.stringify({ nodes: described })}\n`));
  }

  finish(): Buffer {
    const entries = this.blobs.map(({ id, type, length }) => {
      const entry = Buffer.alloc(37);
      entry.writeUInt8(type === 'data' ? 0 : 1, 0);
      entry.writeUInt32LE(length, 1);
      Buffer.from(id, 'hex').copy(entry, 5);
      return entry;
    });
    const header = seal(this.keys, Buffer.concat(entries));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(header.length);
    return Buffer.concat([...this.#parts, header, length]);
  }

  #add(type: 'data' | 'tree', plain: Buffer): string {
    const id = sha256(plain);
    if (this.blobs.some((blob) => blob.id === id)) return id;
    const sealed = seal(this.keys, plain);
    this.blobs.push({ id, type, offset: this.#offset, length: sealed.length });
    this.#parts.push(sealed);
    this.#offset += sealed.length;
    return id;
  }
}

/** By its password, from its first key file. */
export async function openKeys({ env }: Repository): Promise<Keys> {
  const folder = path.join(env.RESTIC_REPOSITORY, 'keys');
  const [file = ''] = await readdir(folder);
  const stored = JSON.parse(await readFile(path.join(folder, file), 'utf8')) as Record<
    'N' | 'r' | 'p',
    number
  > &
    Record<'salt' | 'data', string>;
  const password = (await readFile(env.RESTIC_PASSWORD_FILE, 'utf8')).trimEnd();
  const { N, r, p } = stored;
  const options = { N, r, p, maxmem: 512 * 1024 ** 2 };
  const user = scryptSync(password, Buffer.from(stored.salt, 'base64'), 64, options);
  const master = JSON.parse(unseal(user.subarray(0, 32), Buffer.from(stored.data, 'base64')).toString()) as {
    encrypt: string;
    mac: { k: string; r: string };
  };
  return {
    encrypt: Buffer.from(master.encrypt, 'base64'),
    k: Buffer.from(master.mac.k, 'base64'),
    r: Buffer.from(master.mac.r, 'base64'),
  };
}

/** Initialization vector, ciphertext, and its authentication. */
export function seal({ encrypt, k, r }: Keys, plain: Buffer, authenticate = poly1305): Buffer {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-ctr', encrypt, iv);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([iv, sealed, authenticate(k, r, iv, sealed)]);
}

function unseal(key: Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-ctr', key, sealed.subarray(0, 16));
  return Buffer.concat([decipher.update(sealed.subarray(16, -16)), decipher.final()]);
}

/** Poly1305-AES (D. J. Bernstein, "The Poly1305-AES message-authentication code"). */
function poly1305(k: Buffer, r: Buffer, nonce: Buffer, message: Buffer): Buffer {
  const cipher = createCipheriv('aes-128-ecb', k, null).setAutoPadding(false);
  const pad = littleEndian(cipher.update(nonce));
  const factor = littleEndian(r) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = Buffer.concat([message.subarray(at, at + 16), Buffer.from([1])]);
    sum = ((sum + littleEndian(block)) * factor) % (2n ** 130n - 5n);
  }
  const tag = ((sum + pad) % 2n ** 128n).toString(16).padStart(32, '0');
  return Buffer.from(tag, 'hex').reverse();
}

function littleEndian(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

/** Under the name that is the hash of its content, as everything in a repository. */
export async function save(
  folder: string,
  kind: 'data' | 'index' | 'snapshots' | 'locks',
  bytes: Buffer,
): Promise<string> {
  const id = sha256(bytes);
  const parent = path.join(folder, kind, ...(kind === 'data' ? [id.slice(0, 2)] : []));
  await mkdir(parent, { recursive: true });
  await writeFile(path.join(parent, id), bytes);
  return id;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
