import type { CommandContext } from '../../cli/command.js';
import { shardOf } from '../../cli/shard.js';
import { acquireLease, type Lease } from '../../kube/lease/acquire.js';
import type { Cluster } from '../shared/cluster.js';
import type { RunValues } from './options.js';

/** The lease, which the shards of one Job share. @throws CephbackupError RUN_IN_PROGRESS, KUBE_… */
export async function takeLease(context: CommandContext<RunValues>, cluster: Cluster): Promise<Lease> {
  const { env, hostname, log, signal } = context;
  const group = env.CEPHBACKUP_RUN_GROUP?.trim() ?? '';
  const shard = shardOf(context.options.shard, env);
  return acquireLease({
    api: cluster.api,
    namespace: cluster.leaseNamespace,
    group: group === '' ? null : group,
    member: shard === null ? hostname : `${hostname}-${shard.index}`,
    hostname,
    signal,
    log,
  });
}
