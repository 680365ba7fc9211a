import { existsSync } from 'node:fs';
import type { Values } from '../../cli/options.js';
import type { selectionOptions } from './options/selection.js';
import type { volumeOptions } from './options/volumes.js';
import type { PlannedVolume } from '../../plan/types.js';
import { Ceph } from '../../tools/ceph/ceph.js';
import type { CephConnection } from '../../tools/ceph/connection.js';
import { defaultConf, readKeys } from '../../tools/ceph/keyring.js';
import { Rbd } from '../../tools/rbd/images.js';
import type { ClientsFor } from '../../volumes/rbd/image.js';
import type { CommandContext } from '../../cli/command.js';
import { readClusters } from './files-of-options.js';
import { monitorsKey, readCephUsers } from './users-by-cluster.js';

type CephValues = Pick<Values<typeof volumeOptions>, 'cephConf' | 'cephUser' | 'cephKeyring' | 'cephUsers'> &
  Pick<Values<typeof selectionOptions>, 'cephClusters'>;
type ConfValues = Pick<CephValues, 'cephConf'>;

function confOf({ options, env }: Pick<CommandContext<ConfValues>, 'options' | 'env'>): string | null {
  return options.cephConf ?? (env.CEPH_CONF === undefined || env.CEPH_CONF === '' ? null : env.CEPH_CONF);
}

/** Whether anything says where a Ceph is, for commands that can do without one. */
export function isCephConfigured(
  context: CommandContext<ConfValues & Pick<CephValues, 'cephClusters'>>,
): boolean {
  return context.options.cephClusters !== null || existsSync(confOf(context) ?? defaultConf);
}

/** The clusters that volumes name, by their monitors; null stands for ceph.conf's. */
export function clustersOf(volumes: readonly PlannedVolume[]): (readonly string[] | null)[] {
  const all = volumes.map(({ details }) => details?.monitors ?? null);
  return [...new Map(all.map((monitors) => [monitorsKey(monitors), monitors])).values()];
}

export function cephName(monitors: readonly string[] | null): string {
  return monitors === null ? 'Ceph' : `Ceph at ${monitors.join(',')}`;
}

/**
 * How a cluster is reached: as its own user, where `--ceph-users` names one.
 * @throws CephbackupError USAGE
 */
export function cephConnections(
  context: Pick<CommandContext<CephValues>, 'options' | 'env'>,
): (monitors: readonly string[] | null) => CephConnection {
  const { cephUser, cephKeyring, cephUsers, cephClusters } = context.options;
  const common = { conf: confOf(context), user: cephUser, keyring: cephKeyring };
  const users = cephUsers === null ? null : readCephUsers(cephUsers, readClusters(cephClusters));
  return (monitors) => {
    const { user, keyring } = users?.get(monitorsKey(monitors)) ?? common;
    return { ...common, user, keyring, monitors };
  };
}

/** Clients for each cluster that volumes name, made once. @throws CephbackupError USAGE */
export function cephClients(
  context: CommandContext<CephValues>,
  connectionOf = cephConnections(context),
): ClientsFor {
  const { exec, redactor } = context;
  const known = new Map<string, ReturnType<ClientsFor>>();
  return (monitors) => {
    const name = monitorsKey(monitors);
    const found = known.get(name);
    if (found !== undefined) return found;
    const connection = connectionOf(monitors);
    // Its programs print a key that they cannot read.
    for (const { key } of readKeys(connection)) redactor.add(key);
    const clients = { rbd: new Rbd(exec, connection), ceph: new Ceph(exec, connection) };
    known.set(name, clients);
    return clients;
  };
}
