import { expect, test } from '@jest/globals';
import { repositoryMistakes } from '../../lib/repository/configuration.js';
import { isRepositoryLocation } from '../../lib/repository/location.js';
import { searchPath } from '../../sandbox/tools.js';
import { attempt } from '../../sandbox/process.js';

/** What restic itself cannot read; it quotes it all. */
const unreadable = [
  'foo:bar',
  'FOO:bar',
  'foo://bar',
  '.foo:bar',
  ' rest:http://host/',
  's3:',
  's3:https://host',
  's3:http://[::1/b',
  'sftp:host',
  'sftp://host',
  'sftp:host:~/p',
  'sftp://host/~p',
  'rest:http://host:abc/',
  'rest:http://host/%zz',
  'rest:http://u:p%zz@host/',
  'rest:http://u:p w@host/',
  'rest:http://u:p#x@host/',
  'rest:http://u:p?x@host/',
  'rest:http://u:p/x@host/',
  'rest:http://u:p[x@host/',
  'rest:http://u:p]@host/',
  'rest:http://u:p"x@host/',
  'rest:http://u:p^x@host/',
  'rest:http://u:p|x@host/',
  'rest:http://u:p<x@host/',
  'rest:http://u:pé@host/',
  'rest:http://u:p@host/\n',
  'rest:http://ho st/',
  'rest:http://host^x/',
  'rest:http://%41host/',
  'b2:bu cket:p',
  'b2:Bucket_1:p',
  'gs:bucket',
  'gs:bucket/p',
  'swift:c',
  'swift:c:p',
];

test.each(unreadable)('%j is refused before restic quotes it', async (location) => {
  expect(isRepositoryLocation(location)).toBe(false);
  const env = { PATH: searchPath(), RESTIC_REPOSITORY: location, RESTIC_PASSWORD: 'x' };
  const { stderr } = await attempt('restic', ['cat', 'config', '--no-cache', '--no-lock'], { env });
  expect(stderr).toContain('parsing repository location failed');
});

test.each([
  '',
  ' ',
  'rest:',
  'rest:foo',
  'rest:ftp://host/',
  'rest:http://',
  'rest:http://host:99999/',
  'azure:c',
  's3:host',
])('%j leads nowhere', (location) => {
  expect(isRepositoryLocation(location)).toBe(false);
});

test.each([
  '/srv/repository',
  'repository',
  './a:b',
  '../a:b',
  '/a:b',
  'local:x',
  'rest:http://host:8000',
  "rest:HTTPS://user:p%40ss!$&'()*+,;=~@host/path%20x/",
  'rest:http://[::1]:8000/',
  'rest:http://u:p@ss@host_name/',
  'rest:http+unix:///run/rest.socket:/repository/',
  's3:s3.amazonaws.com/bucket',
  's3://host:9000/bucket/path',
  's3:http://localhost:9000/bucket',
  'sftp:user@host:/srv/repository',
  'sftp:host:repository',
  'sftp://user@[::1]:2222//srv/repository',
  'b2:bucket',
  'b2:bucket:path',
  'gs:bucket:/',
  'azure:container:/path',
  'swift:container:/path',
  'rclone:remote:path',
])('%j can be read', (location) => {
  expect(isRepositoryLocation(location)).toBe(true);
});

test('white space around a URL is said, where restic would not leave it out', () => {
  const [mistake] = repositoryMistakes({
    RESTIC_REPOSITORY: 'rest:http://u:pass@host/\n',
    RESTIC_PASSWORD: 'x',
  });
  expect(mistake).toMatchObject({
    code: 'REPOSITORY_URL_INVALID',
    message: expect.stringContaining('white space'),
  });
  expect(mistake?.message).not.toContain('pass@');
});
