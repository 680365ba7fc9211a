import { readFileSync } from 'node:fs';
import type { CephConnection } from './connection.js';

export interface CephKey {
  /** E.g. `client.admin`. */
  user: string;
  key: string;
}

/** What Ceph's programs read where nothing else is named. */
export const defaultConf = '/etc/ceph/ceph.conf';

/** The keys in all files where Ceph's programs may look for one: their own rules choose among them. */
export function readKeys({ conf, user, keyring }: Omit<CephConnection, 'monitors'>): CephKey[] {
  const name = `client.${user ?? 'admin'}`;
  const settings = readIfAny(conf ?? defaultConf);
  const named = [...settings.matchAll(/^\s*keyring\s*=\s*(.*)$/gm)].flatMap(([, files = '']) =>
    files
      .replaceAll('$cluster', 'ceph')
      .replaceAll('$name', name)
      .replaceAll('$type', 'client')
      .replaceAll('$id', user ?? 'admin')
      .split(/[\s,;"]+/),
  );
  const folder = '/etc/ceph';
  const defaults = [`${folder}/ceph.${name}.keyring`, `${folder}/ceph.keyring`, `${folder}/keyring`];
  const files = [keyring ?? '', ...named, ...defaults].filter((file) => file !== '');
  return [settings, ...files.map(readIfAny)].flatMap(keysOf);
}

function keysOf(text: string): CephKey[] {
  let user = '';
  return text.split('\n').flatMap((line) => {
    user = /^\s*\[([^\]]+)\]/.exec(line)?.[1] ?? user;
    const key = /^\s*key\s*=\s*"?([^\s"]+)/.exec(line)?.[1];
    return key === undefined ? [] : [{ user, key }];
  });
}

/** The type that a key begins with [src/auth/Crypto.cc]; null where it is none that has a name yet, or not a whole key. */
export function keyType(key: string): 'aes' | 'aes256k' | null {
  const bytes = Buffer.from(key, 'base64');
  if (bytes.length === 28 && bytes.readUInt16LE(0) === 1) return 'aes';
  if (bytes.length === 44 && bytes.readUInt16LE(0) === 2) return 'aes256k';
  return null;
}

function readIfAny(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
