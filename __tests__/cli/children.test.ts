import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { runCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';

/** Takes a moment to end where it is told to, as one does that holds a lock. */
const slow = (folder: string) => `
  trap 'sleep 1; : > ${folder}/ended; exit 130' TERM
  : > ${folder}/began
  sleep 60 & wait`;

test.each([
  ['that is stopped', 'kill -TERM $PPID; sleep 5', 143],
  ['that fails by another', 'echo restic 0.1.0', null],
])('a command %s ends after its children, which may hold a lock', async (_, version, code) => {
  const folder = await temporaryFolder('children');
  await mkdir(`${folder}/bin`);
  const wait = `until [ -e ${folder}/began ]; do sleep 0.1; done`;
  const text = `#!/bin/bash\ncase $1 in version) ${wait}; ${version};; *) ${slow(folder)};; esac\n`;
  await writeFile(`${folder}/bin/restic`, text, { mode: 0o755 });
  const result = await runCephbackup(['restore', 'a/b', '--to-directory', path.join(folder, 'to')], {
    env: {
      PATH: `${folder}/bin:${process.env.PATH ?? ''}`,
      HOME: folder,
      RESTIC_REPOSITORY: `${folder}/repository`,
      RESTIC_PASSWORD: 'x',
    },
  });
  expect(result.signal).toBeNull();
  expect(result.code).not.toBe(0);
  if (code !== null) expect(result.code).toBe(code);
  expect(existsSync(`${folder}/ended`)).toBe(true);
});
