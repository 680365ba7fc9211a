import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll } from '@jest/globals';
import { run } from '../../sandbox/process.js';

/** A new folder for this test file, removed when its tests are done. Call it at the top level or in `beforeAll`. */
export async function temporaryFolder(name = 'test'): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `${name}-`));
  atEnd(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A folder that is a filesystem of its own, with so much room (as `mount` takes it) and for files of any size. */
export async function smallFilesystem(size: string): Promise<string> {
  const folder = path.join(await temporaryFolder('small'), 'mounted');
  await mkdir(folder);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'small', folder]);
  atEnd(() => run('umount', ['--lazy', folder]));
  return folder;
}

const undo: (() => Promise<unknown>)[] = [];

/** Runs `action` after the last test of this file, before what was asked for earlier. */
export function atEnd(action: () => Promise<unknown>): void {
  undo.push(action);
}

// Registered while this module is imported: jest takes no hooks later, while tests run.
afterAll(async () => {
  for (const action of undo.toReversed()) await action();
});
