import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { allCommands } from '../../lib/commands/index.js';
import { attempt } from '../../sandbox/process.js';
import { cephbackupProgram } from '../../sandbox/tools.js';
import { runCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';

const commands = await allCommands();

let folder = '';

beforeAll(async () => {
  folder = await temporaryFolder('completion');
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await runCephbackup(['completion', shell]);
    expect(code).toBe(0);
    await writeFile(path.join(folder, shell), stdout);
  }
  await writeFile(path.join(folder, 'ceph test.conf'), '');
  await mkdir(path.join(folder, 'ceph folder'));
});

/** What a real bash suggests for the last of these words; bash itself takes `--a=b` apart. */
function suggested(...words: string[]): string[] {
  const script =
    'source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cephbackup; printf "%s\\n" "${COMPREPLY[@]}"';
  const output = execFileSync('bash', ['--norc', '-c', script, 'bash', 'cephbackup', ...words], {
    cwd: folder,
    encoding: 'utf8',
  });
  return output.split('\n').filter(Boolean);
}

describe('bash', () => {
  const names = commands.map(({ name }) => name);

  test.each<[string[], string[]]>([
    [[''], [...names, 'help']],
    [['pr'], ['prune']],
    [['--v'], ['--version']],
    [['run', '--map'], ['--mapper']],
    [
      ['run', '--mapper', ''],
      ['krbd', 'nbd', 'fuse'],
    ],
    [['run', '--mapper', '=', 'k'], ['krbd']],
    [
      ['run', '--mapper', '='],
      ['krbd', 'nbd', 'fuse'],
    ],
    [['list', '-o', 'j'], ['json']],
    // An option of another command.
    [['list', '--keep-l'], []],
    [['prune', '--dry-run', '--keep-l'], ['--keep-last']],
    [['prune', '--keep-last', ''], []],
    [
      ['run', '--ceph-conf', 'ceph'],
      ['ceph folder', 'ceph test.conf'],
    ],
    [['restore', '--to-directory', 'ceph'], ['ceph folder']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['help', 'sn'], ['snapshots']],
  ])('%j', (words, expected) => {
    expect(suggested(...words).toSorted()).toEqual(expected.toSorted());
  });

  test.each(commands.map(({ name, options }) => [name, options] as const))(
    'every option of %s',
    (name, options) => {
      const flags = Object.values(options).flatMap(({ flag, short }) => [flag, short ?? []].flat());
      expect(suggested(name, '-').toSorted()).toEqual([...flags, '--help', '-h'].toSorted());
    },
  );
});

test('another shell is refused', async () => {
  const { code, stderr } = await runCephbackup(['completion', 'tcsh']);
  expect(code).toBe(2);
  expect(stderr).toContain('expected one of bash, zsh, fish');
});

describe('as kubectl’s plugin', () => {
  const help = async (name: string) => {
    await symlink(cephbackupProgram, path.join(folder, name));
    const { stdout } = await attempt(process.execPath, [path.join(folder, name), 'list', '--help']);
    return stdout.split('\n')[0];
  };

  test('help calls the program as the user did', async () => {
    expect(await help('kubectl-cephbackup')).toBe('Usage: kubectl cephbackup list [options]');
    expect(await help('cephbackup')).toBe('Usage: cephbackup list [options]');
  });

  const assets = process.env.KUBEBUILDER_ASSETS ?? '';
  if (assets === '') {
    test.todo('set KUBEBUILDER_ASSETS to a folder with kubectl');
    return;
  }
  test('kubectl finds it: kubectl cephbackup list --from -', async () => {
    const env = { PATH: `${folder}:${process.env.PATH ?? ''}` };
    const args = ['cephbackup', 'list', '-o', 'json', '--from', '-'];
    const input = JSON.stringify({ kind: 'List', apiVersion: 'v1', items: [] });
    const { code, stdout, stderr } = await attempt(path.join(assets, 'kubectl'), args, { env, input });
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({ volumes: [], warnings: [] });
  });
});
