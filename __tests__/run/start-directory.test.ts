import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { Scenario } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';

// restic reads a volume from within its root: the owner of the volume has put there what restic might look for.
test("relative paths mean the directory of the start, and never a tenant's files", async () => {
  const scenario = await Scenario.create();
  const hostile = async (root: string) => {
    await writeFile(path.join(root, 'password'), 'of the tenant\n');
    await mkdir(path.join(root, 'repository'));
    await writeFile(path.join(root, 'repository', 'config'), 'of the tenant');
  };
  const claim = await scenario.claim('data', { fill: hostile });
  const { RESTIC_REPOSITORY: repository, ...rest } = scenario.repository.env;
  const secret = await readFile(scenario.repository.env.RESTIC_PASSWORD_FILE, 'utf8');
  // A folder with a space: restic splits a command at white space.
  const start = await temporaryFolder('a start');
  await writeFile(path.join(start, 'password'), secret);
  await writeFile(path.join(start, 'say.sh'), '#!/bin/sh\ncat "$1"\n');
  await chmod(path.join(start, 'say.sh'), 0o755);
  const relative = path.relative(start, repository);
  for (const password of [
    { RESTIC_PASSWORD_FILE: 'password' },
    { RESTIC_PASSWORD_FILE: '', RESTIC_PASSWORD: '', RESTIC_PASSWORD_COMMAND: './say.sh password' },
  ]) {
    const env = { ...rest, RESTIC_REPOSITORY: relative, RESTIC_CACHE_DIR: 'cache', ...password };
    const run = await scenario.run({ env, under: ['env', '-C', start] });
    expect([run.volume(claim).error, run.code]).toEqual([null, 0]);
  }
  expect(await scenario.snapshots(claim)).toHaveLength(2);
});
