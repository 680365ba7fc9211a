import { acquireLease, type Lease } from '../../kube/lease/acquire.js';
import type { Cluster } from './cluster.js';
import type { CommandContext } from '../../cli/command.js';

/** The lease for a command of its own, which shares it with nobody. @throws CephbackupError RUN_IN_PROGRESS, KUBE_… */
export async function ownLease(
  { hostname, signal, log }: CommandContext<unknown>,
  { api, leaseNamespace }: Cluster,
): Promise<Lease> {
  return acquireLease({
    api,
    namespace: leaseNamespace,
    group: null,
    member: hostname,
    hostname,
    signal,
    log,
  });
}
