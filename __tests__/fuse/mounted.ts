import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterEach } from '@jest/globals';
import { serve } from '../../lib/fuse/server.js';
import { rootNode, type Attributes, type Tree } from '../../lib/fuse/tree.js';
import { attempt } from '../../sandbox/process.js';
import { temporaryFolder } from '../support/temporary.js';

export const mtime = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };
const directory: Attributes = { type: 'directory', mode: 0o555, sizeBytes: 0, mtime };

export interface TestFile {
  sizeBytes: number;
  read: Tree['read'];
}

/** A tree of one folder a row, with its files by name. */
export function treeOf(folders: Record<string, Record<string, TestFile>>): Tree {
  const nodes = new Map<number, { attributes: Attributes; children: Map<string, number>; file?: TestFile }>();
  const add = (attributes: Attributes, file?: TestFile) => {
    nodes.set(nodes.size + 1, { attributes, children: new Map(), ...(file === undefined ? {} : { file }) });
    return nodes.size;
  };
  add(directory);
  for (const [folder, files] of Object.entries(folders)) {
    const node = add(directory);
    nodes.get(rootNode)?.children.set(folder, node);
    for (const [name, file] of Object.entries(files)) {
      const attributes: Attributes = { type: 'file', mode: 0o444, sizeBytes: file.sizeBytes, mtime };
      nodes.get(node)?.children.set(name, add(attributes, file));
    }
  }
  return {
    attributes: (node) => nodes.get(node)?.attributes ?? null,
    lookup: (node, name) => nodes.get(node)?.children.get(name) ?? null,
    entries: (node) => [...(nodes.get(node)?.children ?? [])].map(([name, child]) => ({ name, node: child })),
    read: (node, offset, length) =>
      nodes.get(node)?.file?.read(node, offset, length) ?? Promise.reject(new Error('no file')),
  };
}

/** A file in memory, which comes in parts of up to 1,000 bytes. */
export function contents(bytes: Buffer): TestFile {
  return {
    sizeBytes: bytes.length,
    read: (_, offset, length) => {
      const parts = [];
      for (let at = offset; at < offset + length; at += 1000)
        parts.push(bytes.subarray(at, Math.min(at + 1000, offset + length)));
      return Promise.resolve(parts);
    },
  };
}

export interface Mounted {
  path: string;
  /** How the server ended: null where it was told by the kernel that nothing is mounted any more. */
  ended: Promise<unknown>;
  unmount: (...options: string[]) => Promise<{ code: number; stderr: string }>;
}

/**
 * Mounts a tree that this process serves: nothing here may look into the mount but children of its own, and they must not
 * be started in it, because this process waits until they are.
 */
export async function mountTree(tree: Tree): Promise<Mounted> {
  const mountPoint = path.join(await temporaryFolder('fuse'), 'mounted');
  await mkdir(mountPoint);
  const device = openSync('/dev/fuse', 'r+');
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,ro,max_read=1048576';
  const mount = spawn('mount', ['-i', '-t', 'fuse', '-o', options, 'test', mountPoint], {
    stdio: ['ignore', 'ignore', 'inherit', device],
  });
  const [code] = (await once(mount, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`mount: exit code ${code}`);
  const ended = serve(device, tree)
    .then(
      () => null,
      (thrown: unknown) => thrown,
    )
    .finally(() => {
      closeSync(device);
    });
  const unmount = (...options: string[]) => attempt('umount', [...options, mountPoint]);
  cleanUp = async () => {
    await unmount('--lazy');
    await ended;
  };
  return { path: mountPoint, ended, unmount };
}

let cleanUp: () => Promise<void> = () => Promise.resolve();

// Each server holds a thread of Node's pool, which has four.
afterEach(() => cleanUp());
