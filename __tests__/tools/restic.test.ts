import { describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { searchPath } from '../../sandbox/tools.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';
import type { Exec } from '../../lib/tools/process/exec.js';
import { readError, repositoryError } from '../../lib/tools/restic/errors.js';
import { locksLeftIn } from '../../lib/tools/restic/locks.js';
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

describe("another's lock is waited for", () => {
  test.each([
    [null, '120s'],
    [1_800_000, '1800s'],
    [0, '0s'],
  ])('by every restic that makes one; asked for: %s ms', async (lockPatienceMs, time) => {
    const { exec, calls } = recording();
    const restic = new Restic(exec, {}, { upload: null, download: null, lockPatienceMs });
    await restic.snapshots([]);
    await restic.survey();
    await restic.backup(['--', '.'], {});
    await restic.restore(['id'], {});
    await restic.list('id', null, {});
    await restic.dump('id', '/file', () => Promise.resolve());
    expect(calls.map(([command]) => command)).toHaveLength(6);
    for (const argv of calls) expect(argv).toContain(`--retry-lock=${time}`);
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

test('why a repository cannot be opened is told, and not where it is', () => {
  const message = 'Fatal: unable to open config file: Stat: Access Denied.\ns3:http://127.0.0.1:7480/locked';
  const stderr = `Stat(<config/>) failed: Stat: Access Denied.\n${JSON.stringify({ message_type: 'exit_error', code: 1, message })}`;
  const failed = repositoryError('restic snapshots', { exitCode: 1, stdout: '', stderr, seconds: 0 });
  expect(failed.message).toBe(
    'restic snapshots: Fatal: unable to open config file: Stat: Access Denied. (exit code 1)',
  );
});

test('a lock that restic could not remove is known, once, and nothing else is taken for one', () => {
  const said = (...lines: string[]) => lines.join('\n');
  const failed = 'Remove(<lock/006e895352>) failed: client.RemoveObject: Access Denied.';
  const why = 'error while unlocking: client.RemoveObject: Access Denied.';
  expect(locksLeftIn(said(failed, failed, why, ''))).toEqual([
    { id: '006e895352', reason: 'client.RemoveObject: Access Denied.' },
  ]);
  // It was tried again.
  expect(locksLeftIn(failed)).toEqual([]);
  expect(locksLeftIn(said('Remove(<data/006e895352>) failed: x', why))).toEqual([]);
});

// To restic a comma is "and", and a second `--tag` is "or".
test('snapshots are those that have all of the tags', async () => {
  const repository = await freshRepository();
  const folder = await temporaryFolder('tags');
  const tagged = ['uid=1,kind=a', 'uid=1,kind=b', 'uid=2,kind=a', 'uid=1'];
  for (const tags of tagged) await repository.restic('backup', '--quiet', '--tag', tags, folder);
  const env = { PATH: searchPath() };
  const exec = createExec({ env, log: silent, redactor: new Redactor() });
  const restic = new Restic(exec, { ...env, ...repository.env }, { upload: null, download: null });
  const found = async (...tags: string[]) => {
    const snapshots = await restic.snapshots(tags, {});
    return snapshots.map((snapshot) => snapshot.tags.join()).toSorted();
  };
  expect(await found('uid=1', 'kind=a')).toEqual(['uid=1,kind=a']);
  expect(await found('uid=1')).toEqual(['uid=1', 'uid=1,kind=a', 'uid=1,kind=b']);
  expect(await found('uid=2', 'kind=b')).toEqual([]);
});
