import { chmod, mkdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { readAttributes } from '../../lib/tools/node/directory-attributes.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { Redactor } from '../../lib/log/redactor.js';
import { searchPath } from '../../sandbox/tools.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { silent } from '../../lib/log/logger.js';
import { temporaryFolder } from '../support/temporary.js';

/** As GNU tar does where the change time of a directory, on CephFS that of all below it, moves while it is read. */
const changed: Fault = {
  program: 'tar',
  when: '--create*',
  mode: 'fail-after',
  exitCode: 1,
  stderr: '/usr/bin/tar: .: file changed as we read it',
};

async function read(fault: Fault) {
  const folder = path.join(await temporaryFolder('attributes'), 'directory');
  await mkdir(folder);
  await chmod(folder, 0o2750);
  await utimes(folder, 1_000_000, 1_000_000);
  const programs = new FaultyPrograms([fault], searchPath());
  const exec = createExec({ env: { PATH: programs.path }, log: silent, redactor: new Redactor() });
  return { attributes: readAttributes(exec, { namespace: null, path: folder }), programs };
}

test('a directory that changes while it is read counts once two readings say the same', async () => {
  const { attributes, programs } = await read(changed);
  expect(await attributes).toMatchObject({ mode: 0o2750, mtime: expect.stringMatching(/^1000000/) });
  expect(programs.calls().length).toBe(2);
});

test('what else tar complains of is an error at once', async () => {
  const { attributes, programs } = await read({
    ...changed,
    stderr: 'tar: .: Cannot stat: Input/output error',
  });
  await expect(attributes).rejects.toMatchObject({ message: expect.stringContaining('Input/output error') });
  expect(programs.calls().length).toBe(1);
});
