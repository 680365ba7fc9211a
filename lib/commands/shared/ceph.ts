import { existsSync, readFileSync } from 'node:fs';
import type { Values } from '../../cli/options.js';
import type { volumeOptions } from './options.js';
import { Ceph } from '../../tools/ceph/ceph.js';
import type { CephConnection } from '../../tools/ceph/connection.js';
import { Rbd } from '../../tools/rbd/images.js';
import type { ClientsFor } from '../../volumes/rbd/image.js';
import type { CommandContext } from '../../cli/command.js';

type CephValues = Pick<Values<typeof volumeOptions>, 'cephConf' | 'cephUser' | 'cephKeyring'>;

/** What Ceph's programs read where nothing else is named. */
const defaultConf = '/etc/ceph/ceph.conf';

function confOf({ options, env }: Pick<CommandContext<CephValues>, 'options' | 'env'>): string | null {
  return options.cephConf ?? (env.CEPH_CONF === undefined || env.CEPH_CONF === '' ? null : env.CEPH_CONF);
}

/** Whether anything says where a Ceph is, for commands that can do without one. */
export function isCephConfigured(
  context: CommandContext<CephValues & { cephClusters: string | null }>,
): boolean {
  return context.options.cephClusters !== null || existsSync(confOf(context) ?? defaultConf);
}

/** Clients for each cluster that volumes name, made once. */
export function cephClients(context: CommandContext<CephValues>): ClientsFor {
  const { options, exec, redactor } = context;
  const connection = { conf: confOf(context), user: options.cephUser, keyring: options.cephKeyring };
  for (const key of cephKeys(connection)) redactor.add(key);
  const known = new Map<string, ReturnType<ClientsFor>>();
  return (monitors) => {
    const name = (monitors ?? []).join(',');
    const clients = known.get(name) ?? {
      rbd: new Rbd(exec, { ...connection, monitors }),
      ceph: new Ceph(exec, { ...connection, monitors }),
    };
    known.set(name, clients);
    return clients;
  };
}

/** The keys that Ceph's programs may read: some of them print a malformed one. */
function cephKeys({ conf, user, keyring }: Omit<CephConnection, 'monitors'>): string[] {
  const named = [...readIfAny(conf ?? defaultConf).matchAll(/^\s*keyring\s*=\s*(\S+)/gm)].map(
    (match) => match[1],
  );
  const defaults = [`/etc/ceph/ceph.client.${user ?? 'admin'}.keyring`, '/etc/ceph/ceph.keyring'];
  return [keyring, ...named, ...defaults].flatMap((file) =>
    [...readIfAny(file ?? '').matchAll(/^\s*key\s*=\s*(\S+)/gm)].flatMap((match) => match[1] ?? []),
  );
}

function readIfAny(file: string): string {
  try {
    return file === '' ? '' : readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
