import { chmod, mkdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { readAttributes, writeAttributes } from '../../lib/tools/node/directory-attributes.js';
import { createExec, type Exec } from '../../lib/tools/process/exec.js';
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

test('tar may wait for longer than a metadata server knows a client that was killed', async () => {
  const directory = { namespace: null, path: await temporaryFolder('attributes') };
  const real = createExec({ env: { PATH: searchPath() }, log: silent, redactor: new Redactor() });
  const deadlines: number[] = [];
  const exec: Exec = (program, args, options) => {
    deadlines.push(options.deadlineMs);
    return real(program, args, options);
  };
  await writeAttributes(exec, directory, await readAttributes(exec, directory), true);
  // `session_timeout`, 60 s, and what it takes to look around for such clients.
  expect(Math.min(...deadlines)).toBeGreaterThanOrEqual(120_000);
  expect(deadlines).toHaveLength(2);
});
