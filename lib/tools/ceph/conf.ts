import { readFile } from 'node:fs/promises';
import type { ErrorCode } from '../../errors/catalogue.js';
import { CephbackupError } from '../../errors/error.js';
import type { CephConnection } from './connection.js';

const defaultConf = '/etc/ceph/ceph.conf';

/**
 * A copy of ceph.conf (no key in it) with everything that a connection says, for programs that take no keyring or
 * monitors as options.
 * @throws CephbackupError `code` where ceph.conf cannot be read and is needed
 */
export async function completeConf(
  { conf, user, keyring, monitors }: CephConnection,
  code: ErrorCode,
): Promise<string> {
  const file = conf ?? defaultConf;
  let text = '';
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (monitors === null) throw new CephbackupError(code, `cannot read ${file}`, { cause });
  }
  const own = [
    `[client.${user ?? 'admin'}]`,
    ...(keyring === null ? [] : [`keyring = ${keyring}`]),
    ...(monitors === null ? [] : [`mon_host = ${monitors.join(',')}`]),
  ];
  return `${text}\n${own.join('\n')}\n`;
}
