import { expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import { nearest } from '../../lib/commands/doctor/checks/ceph.js';
import { failed, NotChecked, ok, warning, type Check } from '../../lib/commands/doctor/check.js';
import { examine } from '../../lib/commands/doctor/examine.js';
import { hostOf, serviceOf } from '../../lib/commands/doctor/checks/repository/place.js';
import { Setup, type SetupParts } from '../../lib/commands/doctor/setup.js';

const noSetup = new Setup({} as SetupParts);
const check = (name: string, run: Check['run']): Check => ({ name, run });

test('every check runs, whatever the others do; one that hangs is given up; the order stays', async () => {
  const cause = new CephbackupError('POOL_FULL', 'full');
  const results = await examine(
    [
      check('hangs', () => new Promise(() => undefined)),
      check('throws', () => Promise.reject(cause)),
      check('breaks', () => Promise.reject(new TypeError('oops'))),
      check('waits', () => Promise.reject(new NotChecked('not checked: no Ceph', cause))),
      check('evil', () => Promise.resolve(ok('\u001b[31m\n'.padEnd(9000, 'x')))),
      check('works', () => Promise.resolve([ok('fine'), warning('so so', 'do this')])),
    ],
    noSetup,
    new AbortController().signal,
    300,
  );
  expect(results.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'hangs failed',
    'throws failed',
    'breaks failed',
    'waits warning',
    'evil ok',
    'works ok',
    'works warning',
  ]);
  expect(results[0]?.message).toBe('no answer within 0.3 s');
  expect(results[1]?.fix).toContain('ceph df');
  expect(results[4]?.message).toMatch(/^\\u001b\[31m\\n?x+…$/);
  expect(results[4]?.message.length).toBeLessThan(600);
});

test('ten thousand findings are told as ten, the worst first', async () => {
  const many = Array.from({ length: 10_000 }, (_, index) =>
    index === 7777 ? failed('this one', 'mend it') : ok(`fine ${index}`),
  );
  const results = await examine(
    [check('many', () => Promise.resolve(many))],
    noSetup,
    new AbortController().signal,
  );
  expect(results).toHaveLength(11);
  expect(results[0]).toMatchObject({ status: 'failed', message: 'this one' });
  expect(results.at(-1)?.message).toBe('and 9990 more of this kind');
});

test('a program that is told to end ends with that', async () => {
  const abort = new AbortController();
  const waiting = examine([check('slow', () => new Promise(() => undefined))], noSetup, abort.signal, 60_000);
  const reason = new CephbackupError('CANCELLED', 'stopped');
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

test.each([
  ['rest:http://user:secret@rest-server.backup.svc:8000/', 'rest-server', 'backup'],
  ['rest:https://rest-server.backup.svc.cluster.local/', 'rest-server', 'backup'],
  ['s3:http://minio.storage:9000/bucket', 'minio', 'storage'],
  ['s3:minio.storage/bucket', 'minio', 'storage'],
  ['rest:http://rest-server:8000/', 'rest-server', 'own'],
])('%s is a Service of this cluster', (location, name, namespace) => {
  const namespaces = new Set(['backup', 'storage', 'own']);
  expect(serviceOf(hostOf(location), namespaces, 'own')).toEqual({ name, namespace });
});

test.each([
  's3:https://s3.amazonaws.com/bucket',
  'rest:https://backup.example.com/',
  'rest:http://rest-server.elsewhere.svc/',
  'rest:http://192.0.2.1:8000/',
  'rest:http://[2001:db8::1]:8000/',
  'rest:http://localhost:8000/',
  'b2:backup:path',
  '/srv/backup.storage/x',
])('%s is none', (location) => {
  expect(serviceOf(hostOf(location), new Set(['backup', 'storage', 'example']), null)).toBeNull();
});

test('how far off the monitors are is read off the log of our own command', () => {
  const entry = (stamp: string, entity: string, prefix: string) => ({
    stamp,
    message: `from='client.? 1.2.3.4:0/1' entity='${entity}' cmd=[{"prefix": "${prefix}"}]: dispatch`,
  });
  const before = Date.parse('2026-01-31T12:00:00Z');
  const log = JSON.stringify([
    entry('2026-01-31T12:00:07.5+0000', 'client.backup', 'osd stat'),
    entry('2026-01-31T12:00:01.0+0000', 'client.backup', 'status'),
    entry('2026-01-31T12:00:01.0+0000', 'client.other', 'osd stat'),
  ]);
  expect(nearest(log, 'client.backup', before, before + 2000)).toBe(5500);
  expect(nearest(log, 'client.backup', before, before + 9000)).toBe(0);
  expect(nearest(log, 'client.nobody', before, before + 9000)).toBeNull();
});
