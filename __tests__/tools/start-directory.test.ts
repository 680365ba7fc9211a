import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { repositoryWarnings } from '../../lib/repository/configuration.js';
import { resticEnvironment } from '../../lib/tools/process/environment.js';
import { temporaryFolder } from '../support/temporary.js';

const here = (name: string) => path.resolve(name);

test('relative paths in the variables of restic are those of the start directory', () => {
  const env = resticEnvironment({
    RESTIC_REPOSITORY: 'repo',
    RESTIC_PASSWORD_FILE: 'secrets/pw',
    RESTIC_CACHE_DIR: '../cache',
    RESTIC_CACERT: 'ca.pem',
    AWS_SHARED_CREDENTIALS_FILE: 'aws',
    GOOGLE_APPLICATION_CREDENTIALS: '/abs/google.json',
    AWS_ACCESS_KEY_ID: 'relative/looking',
    RESTIC_COMPRESSION: 'max',
  });
  expect(env).toMatchObject({
    RESTIC_REPOSITORY: here('repo'),
    RESTIC_PASSWORD_FILE: here('secrets/pw'),
    RESTIC_CACHE_DIR: here('../cache'),
    RESTIC_CACERT: here('ca.pem'),
    AWS_SHARED_CREDENTIALS_FILE: here('aws'),
    GOOGLE_APPLICATION_CREDENTIALS: '/abs/google.json',
    AWS_ACCESS_KEY_ID: 'relative/looking',
    RESTIC_COMPRESSION: 'max',
  });
});

test.each([
  ['./a:b', here('./a:b')],
  ['../repo', here('../repo')],
  ['local:repo', `local:${here('repo')}`],
  ['/abs/repo', '/abs/repo'],
  ['rest:http://host/', 'rest:http://host/'],
  ['s3:host/bucket', 's3:host/bucket'],
  ['sftp:user@host:repo', 'sftp:user@host:repo'],
  ['rclone:remote:path', 'rclone:remote:path'],
])('the repository %s', (given, meant) => {
  expect(resticEnvironment({ RESTIC_REPOSITORY: given }).RESTIC_REPOSITORY).toBe(meant);
});

test('a file that names the repository may name it relatively, and is left alone where it does not', async () => {
  const folder = await temporaryFolder('repository-file');
  const [relative, url] = [path.join(folder, 'relative'), path.join(folder, 'url')];
  await writeFile(relative, 'repo\n');
  await writeFile(url, 'rest:http://user:secret@host/\n');
  const named = resticEnvironment({ RESTIC_REPOSITORY_FILE: relative });
  expect([named.RESTIC_REPOSITORY, named.RESTIC_REPOSITORY_FILE]).toEqual([here('repo'), undefined]);
  const kept = resticEnvironment({ RESTIC_REPOSITORY_FILE: url });
  expect([kept.RESTIC_REPOSITORY, kept.RESTIC_REPOSITORY_FILE]).toEqual([undefined, url]);
});

test('a password that ends in white space is warned about, where restic takes it as it is', () => {
  expect(repositoryWarnings({ RESTIC_PASSWORD: 'secret\n' })).toHaveLength(1);
  expect(repositoryWarnings({ RESTIC_PASSWORD: ' secret' }).join()).not.toContain('secret');
  expect(repositoryWarnings({ RESTIC_PASSWORD: 'two words' })).toEqual([]);
  expect(repositoryWarnings({ RESTIC_PASSWORD: 'secret\n', RESTIC_PASSWORD_FILE: 'pw' })).toEqual([]);
});
