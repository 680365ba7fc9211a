import { randomBytes } from 'node:crypto';
import { run } from '../process.js';

/** Who may do what, as in `ceph auth`: `{ mon: 'allow r', osd: '...' }`. */
export type Capabilities = Record<string, string>;

/** The administrator, and the daemons that every cluster has. */
export const administrator: Record<string, Capabilities> = {
  'client.admin': { mon: 'allow *', osd: 'allow *', mds: 'allow *', mgr: 'allow *' },
};

export const centralDaemons: Record<string, Capabilities> = {
  'mon.': { mon: 'allow *' },
  'mgr.x': { mon: 'allow profile mgr', osd: 'allow *', mds: 'allow *' },
};

export const osdCapabilities: Capabilities = {
  mon: 'allow profile osd',
  osd: 'allow *',
  mgr: 'allow profile osd',
};

export const mdsCapabilities: Capabilities = {
  mon: 'allow profile mds',
  osd: 'allow rwx',
  mds: 'allow',
  mgr: 'allow profile mds',
};

/** What encrypts with a key. `aes256k` is of Ceph 19.2.6, 20.2.4 and later; those before cannot even read such a key. */
export type KeyType = 'aes' | 'aes256k';

/** Their numbers in Ceph's src/include/ceph_fs.h and src/auth/Crypto.h, and the bytes of a secret. */
const formats: Record<KeyType, { number: number; length: number }> = {
  aes: { number: 1, length: 16 },
  aes256k: { number: 2, length: 32 },
};

export function isKeyType(text: string): text is KeyType {
  return text in formats;
}

/** What kind of keys this machine's Ceph makes, and a cluster that it starts takes. */
export async function usualKeyType(): Promise<KeyType> {
  const key = Buffer.from(await run('ceph-authtool', ['--gen-print-key']), 'base64');
  return key.readUInt16LE(0) === formats.aes256k.number ? 'aes256k' : 'aes';
}

/**
 * A new cephx key, as `ceph-authtool --gen-key` makes it: little-endian type, creation time in seconds and nanoseconds,
 * length, random bytes (Ceph's src/auth/Crypto.cc, CryptoKey::encode).
 */
export function generateKey(type: KeyType): string {
  const { number, length } = formats[type];
  const header = Buffer.alloc(12);
  header.writeUInt16LE(number, 0);
  header.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  header.writeUInt16LE(length, 10);
  return Buffer.concat([header, randomBytes(length)]).toString('base64');
}

/** A keyring file with new keys. */
export function keyringText(users: Record<string, Capabilities>, type: KeyType): string {
  return Object.entries(users)
    .map(([name, capabilities]) => {
      const lines = Object.entries(capabilities).map(([service, grant]) => `\tcaps ${service} = "${grant}"`);
      return [`[${name}]`, `\tkey = ${generateKey(type)}`, ...lines, ''].join('\n');
    })
    .join('');
}
