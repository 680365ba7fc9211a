import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { attempt, type RunResult } from '../../sandbox/process.js';
import { cephbackupProgram, resticProgram } from '../../sandbox/tools.js';
import { temporaryFolder } from '../support/temporary.js';
import { Library } from '../verify/library.js';

/** What a user at a terminal of 80 columns sees, of a command whose restic takes some seconds longer. */
let folder = '';
let env: Record<string, string> = {};

beforeAll(async () => {
  folder = await temporaryFolder('terminal');
  const library = await Library.create();
  await library.files('c1', { 'a/old.txt': 'old', top: 'top' }, '2026-01-01 10:00:00');
  const slow = path.join(folder, 'slow');
  await mkdir(slow);
  const commands = 'case " $* " in *" restore "*|*" snapshots "*) sleep 3;; esac';
  await writeFile(path.join(slow, 'restic'), `#!/bin/sh\n${commands}\nexec ${resticProgram} "$@"\n`);
  await chmod(path.join(slow, 'restic'), 0o755);
  env = {
    HOME: folder,
    TERM: 'xterm-256color',
    ...library.repository.env,
    PATH: `${slow}:${process.env.PATH ?? ''}`,
  };
});

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

const ends = 'Ctrl-C ends it.';

function inShell(args: string[]): string {
  return `stty cols 80 rows 24; exec node ${[cephbackupProgram, ...args].map(quoted).join(' ')}`;
}

/** stdout and stderr as the terminal gets them. */
async function atTerminal(args: string[], more: Record<string, string> = {}): Promise<RunResult> {
  return attempt('script', ['-qec', inShell(args), '/dev/null'], {
    env: { ...env, ...more },
    timeout: 120_000,
  });
}

describe('at a terminal', () => {
  test('a restore shows what it does, and for how long, and then its result', async () => {
    const target = path.join(folder, 'restored');
    const { code, stdout } = await atTerminal(['restore', 'app/c1', '--to-directory', target]);
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/ {2}working \(\d s\)/);
    expect(stdout).toMatch(/app\/c1 {2}restoring files into [\s\S]+? \(\d s\)/);
    expect(stdout).toMatch(/Restored app\/c1 as of/);
    // The view is gone by then: it would take lines of the result with it.

    expect(stdout.slice(stdout.indexOf('Restored'))).not.toMatch(/\u001b\[\d*A/);
  });

  test('no colour is used, whatever NO_COLOR says, so that none can be the only sign', async () => {
    for (const more of [{}, { NO_COLOR: '1' }]) {
      const { stdout } = await atTerminal(['verify', 'app/nothing-of-this-name'], more);
      expect(stdout).toContain('app/nothing-of-this-name');

      expect(stdout).not.toMatch(/\u001b\[[\d;]*m/);
    }
  });

  test('open says where the backup is to be seen, and Ctrl-C ends it', async () => {
    const directory = path.join(folder, 'opened');
    await mkdir(directory);
    const shell = ['-qec', inShell(['open', 'app/c1', directory]), '/dev/null'];
    const child = spawn('script', shell, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      // What Ctrl-C sends.
      if (!said.includes(ends) && (said + text).includes(ends)) child.stdin.write('\u0003');
      said += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, said }).toMatchObject({ code: 0 });
    expect(said).toContain(`at ${directory}`);
  });
});

test('where nobody watches, no view is drawn', async () => {
  const { code, stdout, stderr } = await attempt('node', [cephbackupProgram, 'snapshots'], { env });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toContain('c1');
  expect(stdout + stderr).not.toContain('working');
});
