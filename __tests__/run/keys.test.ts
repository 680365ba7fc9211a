import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { generateKey, usualKeyType } from '../../sandbox/ceph/keyring.js';
import { Scenario } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';

/** Keys of a type that came with Ceph 19.2.6 and 20.2.4: older programs print the key that they cannot read. */
const key = generateKey('aes256k');

let scenario: Scenario;
let keyring: string;
/** The Ceph of this machine reads such keys: then the cluster refuses this one, which it does not know. */
let isReadable: boolean;

beforeAll(async () => {
  scenario = await Scenario.create();
  isReadable = (await usualKeyType()) === 'aes256k';
  await scenario.claim('files');
  await scenario.claim('disk', { volumeMode: 'Block', format: 'none' });
  keyring = path.join(await temporaryFolder('keys'), 'keyring');
  await writeFile(keyring, `[client.admin]\n\tkey = ${key}\n`, { mode: 0o600 });
});

/** Runs a command, whose output has no key, and returns its document. */
async function refused(command: string): Promise<{ code: number | null; json: unknown }> {
  const args = ['-o', 'json', '--log-level', 'debug', '--ceph-keyring', keyring];
  const { code, json, stdout, stderr } = await scenario.cephbackup([command, ...args]);
  // Nor the end of it, of which nobody would know that it belongs to a key.
  for (const text of [stdout, stderr]) expect(text).not.toContain(key.slice(-20));
  return { code, json };
}

const what = 'the key of client.admin is of type aes256k, which the Ceph programs here are too old to read';

test('run: the key’s type is what is wrong, not the monitors', async () => {
  const before = await scenario.world();
  const { code, json } = await refused('run');
  expect(code).toBe(3);
  if (isReadable) expect(json).toMatchObject({ error: { code: 'CEPH_UNREACHABLE' } });
  else {
    const error = { code: 'CEPH_KEY_UNREADABLE', message: expect.stringContaining(what) };
    expect(json).toMatchObject({ error: { ...error, guidance: expect.stringContaining('--key_type aes') } });
  }
  await expectCleanWorld(before, scenario.worldScope);
});

test('doctor: so, too', async () => {
  const { code, json } = await refused('doctor');
  expect(code).toBe(1);
  const { checks } = json as { checks: { name: string; status: string; message: string; fix: string }[] };
  const said = checks.find(({ name }) => name === 'ceph-connection');
  expect(said).toMatchObject({ status: 'failed' });
  if (isReadable) expect(said?.message).toContain('does not accept the key');
  else {
    expect(said?.message).toBe(what);
    expect(said?.fix).toContain('20.2.4');
  }
});
