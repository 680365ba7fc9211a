import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { Redactor } from '../../lib/log/redactor.js';
import { keyType, readKeys } from '../../lib/tools/ceph/keyring.js';
import { kernelRefusesKey, keyProblem } from '../../lib/tools/ceph/unreadable-key.js';
import { startDaemon } from '../../lib/tools/process/daemon.js';
import { generateKey } from '../../sandbox/ceph/keyring.js';
import { temporaryFolder } from '../support/temporary.js';

const connection = { conf: '/nowhere', user: 'backup', keyring: null, monitors: null };
const [aes, aes256k] = [generateKey('aes'), generateKey('aes256k')];

/** As Ceph 16 and 18 print it. */
const says = (key: string) =>
  `2026-11-29T21:24:27.067+0000 7f8c883ff6c0 -1 auth: error parsing file /k: error setting modifier for [client.backup] type=key val=${key}: Malformed input\n` +
  '2026-11-29T21:24:27.067+0000 7f8c883ff6c0 -1 auth: failed to load /k: (5) Input/output error\n';

test.each([aes, aes256k])('a key is masked by its looks alone, wherever it comes from: %s', (key) => {
  const masked = new Redactor().redact(`${says(key)} key=${key}, [${key}] "${key}"`);
  expect(masked).not.toContain(key.slice(2, 10));
  expect(masked).not.toContain(key.slice(-10));
  expect(masked).toContain(`val=${key.slice(0, 2)}***: Malformed`);
});

test.each(['AQ==', 'a/path/AQ/to/something/that/is/long/enough/for/a/key/', 'f'.repeat(64)])(
  'what is no key stays: %s',
  (text) => {
    expect(new Redactor().redact(text)).toBe(text);
  },
);

test('what a daemon says has no key, also where only the end of it is kept', async () => {
  const script = `printf '%s\\n' "$1" >&2; head -c 20000 /dev/zero | tr '\\0' ' ' >&2; printf '%s\\n%s' "$1" "$1" >&2`;
  const daemon = startDaemon('sh', ['-c', script, 'sh', `val=${aes256k}`], {
    env: { PATH: process.env.PATH ?? '' },
  });
  const last = await daemon.ended;
  for (const text of [last, daemon.stderr()]) {
    expect(text).toContain('val=Ag***');
    expect(text).not.toContain(aes256k.slice(-20));
  }
});

test('what Ceph says of the key tells its type', () => {
  const stderr = new Redactor().redact(says(aes256k));
  const error = keyProblem(connection, { exitCode: 5, stderr });
  expect(error).toMatchObject({
    code: 'CEPH_KEY_UNREADABLE',
    message: 'the key of client.backup is of type aes256k, which the Ceph programs here are too old to read',
  });
});

test('a key that was cut is not called one of a newer type', () => {
  for (const key of [aes.slice(0, 20), aes256k.slice(0, 20)]) {
    const error = keyProblem(connection, { exitCode: 5, stderr: says(key) });
    expect(error?.message).toBe('the key of client.backup is not a whole key');
    expect(error?.guidance).toContain('ceph auth get client.backup');
  }
});

test.each([
  ['rbd', 5, "rbd: couldn't connect to the cluster!\n"],
  ['ceph', 1, '[errno 5] RADOS I/O error (error connecting to the cluster)\n'],
])('%s that logs nothing: the keyring tells the type', async (_program, exitCode, stderr) => {
  const keyring = path.join(await temporaryFolder('keyring'), 'keyring');
  const problem = () => keyProblem({ ...connection, keyring }, { exitCode, stderr });
  await writeFile(keyring, `[client.other]\nkey = ${aes256k}\n[client.backup]\n  key = ${aes}\n`);
  expect(problem()).toBeNull();
  await writeFile(keyring, `[client.backup]\n  key = ${aes256k}\n`);
  expect(problem()?.message).toContain('aes256k');
});

test('a monitor that does not answer has nothing to do with the key', async () => {
  const keyring = path.join(await temporaryFolder('keyring'), 'keyring');
  await writeFile(keyring, `[client.backup]\n  key = ${aes256k}\n`);
  const stderr = "rbd: couldn't connect to the cluster!\n";
  expect(keyProblem({ ...connection, keyring }, { exitCode: 110, stderr })).toBeNull();
});

test('keys are found where Ceph looks for them', async () => {
  const folder = await temporaryFolder('conf');
  const conf = path.join(folder, 'ceph.conf');
  await writeFile(
    conf,
    `[global]\nkeyring = ${folder}/none, ${folder}/$cluster.$name.keyring\n[client.direct]\nkey = "${aes}"\n`,
  );
  await writeFile(path.join(folder, 'ceph.client.backup.keyring'), `[client.backup]\n\tkey = ${aes256k}\n`);
  expect(readKeys({ ...connection, conf })).toEqual([
    { user: 'client.direct', key: aes },
    { user: 'client.backup', key: aes256k },
  ]);
});

test('the types of keys', () => {
  expect([aes, aes256k, 'AQ==', '', 'not base64'].map(keyType)).toEqual(['aes', 'aes256k', null, null, null]);
});

test.each([
  "rbd: failed to add secret 'client.backup' to kernel\nrbd: map failed: (22) Invalid argument\n",
  'adding ceph secret key to kernel failed: Invalid argument\n',
])('a kernel that is too old for the key is named: %j', async (stderr) => {
  const keyring = path.join(await temporaryFolder('keyring'), 'keyring');
  await writeFile(keyring, `[client.backup]\n  key = ${aes}\n`);
  expect(kernelRefusesKey({ ...connection, keyring }, stderr)).toBeNull();
  await writeFile(keyring, `[client.backup]\n  key = ${aes256k}\n`);
  const refusal = kernelRefusesKey({ ...connection, keyring }, stderr);
  expect(refusal?.message).toMatch(
    /^the kernel \(\d.*\) did not take the key of client\.backup, .* aes256k$/,
  );
  expect(refusal?.guidance).toContain('--mapper fuse');
  expect(kernelRefusesKey({ ...connection, keyring }, 'mount error 22 = Invalid argument\n')).toBeNull();
});
