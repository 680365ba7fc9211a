import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import type { CephCluster } from '../../plan/clusters.js';
import { fields, text } from '../../plan/objects.js';
import { quote } from '../../plan/warnings.js';
import type { CephConnection } from '../../tools/ceph/connection.js';
import { readOnce } from './files-of-options.js';
import { cephUserName } from './options/volumes.js';

/** As whom a cluster is asked. */
export type CephUser = Pick<CephConnection, 'user' | 'keyring'>;

/**
 * Reads the file of `--ceph-users`: `{"<clusterID>": {"user": "name", "keyring": "file"}}`, where a relative `keyring` is
 * meant from the file's own folder.
 *
 * @param clusters those of `--ceph-clusters`
 * @returns by the monitors of a cluster, as `monitorsKey` writes them
 * @throws CephbackupError USAGE that names every mistake
 */
export function readCephUsers(file: string, clusters: readonly CephCluster[] | null): Map<string, CephUser> {
  const mistakes: string[] = [];
  const users = new Map<string, CephUser & { id: string }>();
  if (clusters === null) mistakes.push('it needs --ceph-clusters, which says where these clusters are');
  for (const [id, entry] of Object.entries(parse(file))) {
    const problem = (what: string) => mistakes.push(`${quote(id)} ${what}`);
    const { user, keyring } = fields(entry);
    const [name, where] = [text(user), text(keyring)];
    if (name === null || !cephUserName.test(name)) problem('has no "user", a name without "client."');
    if (where === null) problem('has no "keyring", a file');
    const own = clusters?.find(({ clusterID }) => clusterID === id);
    if (clusters !== null && own === undefined) problem('is no clusterID of --ceph-clusters');
    if (name === null || where === null || own === undefined) continue;
    const key = monitorsKey(own.monitors);
    const known = users.get(key);
    const found = { id, user: name, keyring: path.resolve(path.dirname(file), where) };
    if (known !== undefined && (known.user !== found.user || known.keyring !== found.keyring))
      problem(`has the monitors of ${quote(known.id)} and another user or keyring`);
    users.set(key, found);
  }
  if (mistakes.length > 0) throw mistake(file, mistakes);
  return users;
}

export function monitorsKey(monitors: readonly string[] | null): string {
  return (monitors ?? []).join(',');
}

function parse(file: string): object {
  const content = readOnce(file);
  let users: unknown;
  try {
    users = JSON.parse(content);
  } catch {
    throw mistake(file, ['it is not JSON']);
  }
  if (typeof users === 'object' && users !== null && !Array.isArray(users)) return users;
  throw mistake(file, ['it is not a JSON object']);
}

function mistake(file: string, mistakes: readonly string[]): CephbackupError {
  return new CephbackupError('USAGE', `${printable(file)}: ${mistakes.join('; ')}`, {
    guidance:
      'Write `{"<clusterID>": {"user": "name", "keyring": "file"}}`, for clusters of --ceph-clusters.',
  });
}
