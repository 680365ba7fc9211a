import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { abandoned, ownName } from '../../lib/tools/process/abandoned.js';
import { pipeName, removeAbandonedPipes } from '../../lib/tools/process/pipe.js';
import { temporaryFolder } from '../support/temporary.js';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder('abandoned');
});

/** A name as a process makes it that has ended since. */
async function nameOfTheDead(): Promise<string> {
  const child = spawn('true');
  const [namespace = '', , start = ''] = ownName().split('-');
  await new Promise((resolve) => child.once('close', resolve));
  return `${namespace}-${child.pid}-${start}`;
}

test('what a process left that is gone is told from all else', async () => {
  const dead = await nameOfTheDead();
  const [namespace = '', pid = '', start = ''] = ownName().split('-');
  const names = {
    left: [`x-${dead}`, `x-${dead}-1`, `x-${namespace}-${pid}-${Number(start) + 1}-1`],
    kept: [
      `x-${ownName()}`,
      `x-${ownName()}-1`,
      `y-${dead}`,
      `x-1${dead}`,
      `x-${namespace}-1-`,
      `x-${namespace}-`,
      `x-${dead}x`,
      'x-',
    ],
  };
  for (const name of [...names.left, ...names.kept]) writeFileSync(path.join(folder, name), '');
  expect(abandoned(folder, 'x-').toSorted()).toEqual(
    names.left.map((name) => path.join(folder, name)).toSorted(),
  );
});

test('pipes of killed programs are removed, and only they', async () => {
  const dead = `cephbackup-pipe-${await nameOfTheDead()}`;
  writeFileSync(path.join(folder, 'kept'), 'kept');
  writeFileSync(path.join(folder, `${dead}-1`), '');
  symlinkSync(path.join(folder, 'kept'), path.join(folder, `${dead}-2`));
  // No pipe: whoever made it, it is nothing of ours.
  mkdirSync(path.join(folder, `${dead}-3`));
  const own = path.basename(pipeName({ TMPDIR: folder }));
  writeFileSync(path.join(folder, own), '');
  removeAbandonedPipes(folder);
  removeAbandonedPipes(path.join(folder, 'missing'));
  expect(readdirSync(folder).toSorted()).toEqual([`${dead}-3`, own, 'kept'].toSorted());
});
