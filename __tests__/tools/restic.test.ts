import { describe, expect, test } from '@jest/globals';
import type { Exec } from '../../lib/tools/process/exec.js';
import { readError } from '../../lib/tools/restic/errors.js';
import { Restic } from '../../lib/tools/restic/restic.js';

/** A restic that succeeds at once, and the argv it was given. */
function recording(): { exec: Exec; calls: (readonly string[])[] } {
  const calls: (readonly string[])[] = [];
  const exec: Exec = (_program, args) => {
    calls.push(args);
    return Promise.resolve({ exitCode: 0, stdout: '[]', stderr: '', seconds: 0 });
  };
  return { exec, calls };
}

describe('the limits of restic', () => {
  test.each([
    ['backup', (restic: Restic) => restic.backup(['--stdin-from-command', '--', 'cat', 'file'], {})],
    ['dump', (restic: Restic) => restic.dump('id', '/file', () => Promise.resolve())],
  ])('are options of %s itself, not operands', async (command, call) => {
    const { exec, calls } = recording();
    await call(new Restic(exec, {}, { upload: 100, download: 200 }));
    const [argv = []] = calls;
    const options = argv.slice(0, argv.indexOf('--'));
    expect(argv[0]).toBe(command);
    expect(options).toEqual(expect.arrayContaining(['--limit-upload=100', '--limit-download=200']));
    expect(argv.slice(options.length).filter((arg) => arg.startsWith('--limit'))).toEqual([]);
  });
});

const trace =
  '\ngithub.com/restic/restic/internal/repository.(*Repository).LoadBlob\n\tgithub.com/restic/restic/internal/repository/repository.go:249' +
  '\nruntime.goexit\n\truntime/asm_amd64.s:1771';

test.each([
  ['in JSON', (message: string) => JSON.stringify({ message_type: 'exit_error', code: 1, message })],
  ['as text', (message: string) => `repository opened\n${message}`],
])('a message with the calls that led to it is told without them, %s', (_how, print) => {
  const stderr = print(`id 0123abcd not found in repository${trace}`);
  const { code, message } = readError('restic ls', { exitCode: 1, stdout: '', stderr, seconds: 0 });
  expect([code, message]).toEqual([
    'BACKUP_DAMAGED',
    'restic ls: id 0123abcd not found in repository (exit code 1)',
  ]);
});
