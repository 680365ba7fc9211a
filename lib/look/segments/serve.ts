import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { messageOf } from '../../errors/error.js';
import { connectionDescriptor } from '../../fuse/mount.js';
import { serve } from '../../fuse/server.js';
import { imageFile, parseFacts } from '../../volumes/block/segments/format.js';
import { SegmentedFile } from './segmented-file.js';

/**
 * Serves a disk of segments over a FUSE filesystem that is mounted already. Says `ready BYTES`, or `unreadable` and why.
 *
 * @returns the exit code, once nothing is mounted any more
 */
export async function serveSegments(folder: string, output: Writable): Promise<number> {
  let tree: SegmentedFile;
  try {
    tree = new SegmentedFile(folder, parseFacts(await readFile(path.join(folder, imageFile), 'utf8')));
  } catch (thrown) {
    output.write(`unreadable ${messageOf(thrown)}\n`);
    return 1;
  }
  output.write(`ready ${tree.sizeBytes}\n`);
  await serve(connectionDescriptor, tree);
  return 0;
}
