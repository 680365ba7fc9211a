import { randomBytes } from 'node:crypto';

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

/**
 * A new cephx key, as `ceph-authtool --gen-key` makes it: little-endian type 1 (AES), creation time in seconds and
 * nanoseconds, length, 16 random bytes (Ceph's src/auth/Crypto.cc, CryptoKey::encode).
 */
export function generateKey(): string {
  const header = Buffer.alloc(12);
  header.writeUInt16LE(1, 0);
  header.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  header.writeUInt16LE(16, 10);
  return Buffer.concat([header, randomBytes(16)]).toString('base64');
}

/** A keyring file with new keys. */
export function keyringText(users: Record<string, Capabilities>): string {
  return Object.entries(users)
    .map(([name, capabilities]) => {
      const lines = Object.entries(capabilities).map(([service, grant]) => `\tcaps ${service} = "${grant}"`);
      return [`[${name}]`, `\tkey = ${generateKey()}`, ...lines, ''].join('\n');
    })
    .join('');
}
