import { existsSync } from 'node:fs';
import type { Values } from '../../cli/options.js';
import type { volumeOptions } from './options/volumes.js';
import type { PlannedVolume } from '../../plan/types.js';
import { Ceph } from '../../tools/ceph/ceph.js';
import { defaultConf, readKeys } from '../../tools/ceph/keyring.js';
import { Rbd } from '../../tools/rbd/images.js';
import type { ClientsFor } from '../../volumes/rbd/image.js';
import type { CommandContext } from '../../cli/command.js';

type CephValues = Pick<Values<typeof volumeOptions>, 'cephConf' | 'cephUser' | 'cephKeyring'>;

function confOf({ options, env }: Pick<CommandContext<CephValues>, 'options' | 'env'>): string | null {
  return options.cephConf ?? (env.CEPH_CONF === undefined || env.CEPH_CONF === '' ? null : env.CEPH_CONF);
}

/** Whether anything says where a Ceph is, for commands that can do without one. */
export function isCephConfigured(
  context: CommandContext<CephValues & { cephClusters: string | null }>,
): boolean {
  return context.options.cephClusters !== null || existsSync(confOf(context) ?? defaultConf);
}

/** The clusters that volumes name, by their monitors; null stands for ceph.conf's. */
export function clustersOf(volumes: readonly PlannedVolume[]): (readonly string[] | null)[] {
  const all = volumes.map(({ details }) => details?.monitors ?? null);
  return [...new Map(all.map((monitors) => [keyOf(monitors), monitors])).values()];
}

export function cephName(monitors: readonly string[] | null): string {
  return monitors === null ? 'Ceph' : `Ceph at ${monitors.join(',')}`;
}

function keyOf(monitors: readonly string[] | null): string {
  return (monitors ?? []).join(',');
}

/** Clients for each cluster that volumes name, made once. */
export function cephClients(context: CommandContext<CephValues>): ClientsFor {
  const { options, exec, redactor } = context;
  const connection = { conf: confOf(context), user: options.cephUser, keyring: options.cephKeyring };
  // Its programs print a key that they cannot read.
  for (const { key } of readKeys(connection)) redactor.add(key);
  const known = new Map<string, ReturnType<ClientsFor>>();
  return (monitors) => {
    const name = keyOf(monitors);
    const clients = known.get(name) ?? {
      rbd: new Rbd(exec, { ...connection, monitors }),
      ceph: new Ceph(exec, { ...connection, monitors }),
    };
    known.set(name, clients);
    return clients;
  };
}
