import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll } from '@jest/globals';

/** A new folder for this test file, removed when its tests are done. Call it at the top level or in `beforeAll`. */
export async function temporaryFolder(name = 'test'): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `${name}-`));
  atEnd(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
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
}, 120_000);
