import { spawnSync } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { openKeys, save, seal } from './forge.js';
import type { Repository } from './repository.js';

/** As restic fills its index files [restic internal/repository/index/index.go, indexMaxBlobs]. */
export const blobsPerIndexFile = 50_000;
/** restic's default size of a pack, bytes. */
const packSize = 16 * 1024 ** 2;
/** Of blobs as they lie in a pack, bytes: half the average of restic's chunks, since there are small files, too. */
const meanLength = { data: 512 * 1024, tree: 16 * 1024 };
/** One blob in so many is of a tree. */
const treeEvery = 10;
/** Encrypted header of a pack: what each compressed blob takes there, and what the rest of it does [design.rst, "Pack Format"]. */
const [headerEntry, headerRest] = [41, 36];

interface Blob {
  id: string;
  type: 'data' | 'tree';
  offset: number;
  length: number;
  uncompressed_length: number;
}

interface ForgedPack {
  id: string;
  blobs: Blob[];
}

export interface ForgedIndex {
  blobs: number;
  /** Whether the packs lie in the repository, too: files of the right name and length without content. */
  packs: boolean;
}

/**
 * Makes a repository look as if it held millions of blobs: index files as restic writes them, which name blobs and packs
 * that nobody ever stored. Nothing can be read from them, but every command that loads the index loads them all.
 */
export async function forgeIndex(repository: Repository, { blobs, packs }: ForgedIndex): Promise<void> {
  const keys = await openKeys(repository);
  const folder = repository.env.RESTIC_REPOSITORY;
  if (packs)
    for (let byte = 0; byte < 256; byte += 1) mkdirSync(packFolder(folder, byte), { recursive: true });
  for (let made = 0; made < blobs; made += blobsPerIndexFile) {
    const count = Math.min(blobsPerIndexFile, blobs - made);
    const trees = Math.floor(count / treeEvery);
    const forged = [...packsOf('data', count - trees), ...packsOf('tree', trees)];
    const json = Buffer.from(JSON.stringify({ packs: forged }));
    await save(folder, 'index', seal(keys, Buffer.concat([Buffer.from([2]), zstd(json)]), authenticate));
    if (packs) for (const pack of forged) writeHollow(folder, pack);
  }
}

function packsOf(type: Blob['type'], count: number): ForgedPack[] {
  const made: ForgedPack[] = [];
  const ids = randomBytes(32 * count);
  const lengths = randomBytes(4 * count);
  let blobs: Blob[] = [];
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    // Evenly spread around the mean.
    const length = 64 + (lengths.readUInt32LE(4 * index) % (2 * meanLength[type] - 64));
    const id = ids.toString('hex', 32 * index, 32 * (index + 1));
    blobs.push({ id, type, offset, length, uncompressed_length: length + (length >> 1) });
    offset += length;
    if (offset < packSize && index < count - 1) continue;
    made.push({ id: randomBytes(32).toString('hex'), blobs });
    [blobs, offset] = [[], 0];
  }
  return made;
}

function packFolder(folder: string, byte: number): string {
  return path.join(folder, 'data', byte.toString(16).padStart(2, '0'));
}

/** A pack's file of the length that restic expects, all of it a hole. */
function writeHollow(folder: string, { id, blobs }: ForgedPack): void {
  const content = blobs.reduce((sum, { length }) => sum + length, 0);
  const file = openSync(path.join(folder, 'data', id.slice(0, 2), id), 'w');
  ftruncateSync(file, content + blobs.length * headerEntry + headerRest);
  closeSync(file);
}

/** Node 20 has no zstd. */
function zstd(plain: Buffer): Buffer {
  return through('zstd', ['--quiet', '--stdout', '-3'], plain);
}

/** The same as forge.ts's own, which would need minutes for gigabytes. OpenSSL's key of Poly1305 is `r` and the encrypted nonce. */
function authenticate(k: Buffer, r: Buffer, nonce: Buffer, message: Buffer): Buffer {
  const pad = createCipheriv('aes-128-ecb', k, null).setAutoPadding(false).update(nonce);
  const key = Buffer.concat([r, pad]).toString('hex');
  const args = ['mac', '-binary', '-macopt', `hexkey:${key}`, 'Poly1305'];
  return through('openssl', args, message);
}

function through(program: string, args: readonly string[], input: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`${program}: ${String(stderr)}`);
  return stdout;
}
