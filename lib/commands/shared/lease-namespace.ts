import { CephbackupError } from '../../errors/error.js';
import { leaseNamespaces } from '../../kube/lease/elsewhere.js';
import type { CommandContext } from '../../cli/command.js';
import type { Cluster } from './cluster.js';

type LeaseContext = Pick<CommandContext<{ leaseNamespace: string | null }>, 'options' | 'signal' | 'log'>;

type LeaseCluster = Pick<Cluster, 'api' | 'inventory' | 'leaseNamespace'>;

/** @throws CephbackupError LEASE_ELSEWHERE, KUBE_… */
export async function refuseAnotherLease(context: LeaseContext, cluster: LeaseCluster): Promise<void> {
  const error = await leaseElsewhere(context, cluster);
  if (error !== null) throw error;
}

/**
 * A lease beside the CronJob's excludes nobody, and makes this an installation of its own, to which all leftovers are
 * foreign. In a pod the namespace is the release's; a kubeconfig's context names just any one.
 *
 * @returns LEASE_ELSEWHERE, or null where nothing is known against it
 * @throws CephbackupError KUBE_…
 */
export async function leaseElsewhere(
  { options, signal, log }: LeaseContext,
  { api, inventory, leaseNamespace }: LeaseCluster,
): Promise<CephbackupError | null> {
  if (options.leaseNamespace !== null || api.inPod) return null;
  const namespaces = inventory.namespaces.flatMap(({ metadata }) => metadata?.name ?? []);
  const { found, alive, everywhere } = await leaseNamespaces(api, namespaces, { signal });
  // Where the context's namespace has a lease, none is taken beside another; only which of two that live is not known.
  const candidates = found.includes(leaseNamespace) ? alive : found;
  const others = candidates.filter((namespace) => namespace !== leaseNamespace);
  if (others.length > 0) return elsewhere(leaseNamespace, others, found.includes(leaseNamespace));
  for (const namespace of found.filter((name) => name !== leaseNamespace))
    log.warn(
      `there is a free lease in namespace ${namespace}, too: if backups run there, pass --lease-namespace ${namespace}`,
    );
  if (everywhere) return null;
  log.warn(
    `whether backups of this cluster have their lease in another namespace than ${leaseNamespace} is not known, since leases may not be listed: --lease-namespace says which it is`,
  );
  return null;
}

function elsewhere(own: string, others: readonly string[], both: boolean): CephbackupError {
  const named = [...others, ...(both ? [own] : [])];
  const where =
    named.length === 1
      ? `their lease in namespace ${others[0] ?? ''}, not in ${own}, that of the kubeconfig's context`
      : `a lease in each of the namespaces ${named.join(', ')}`;
  const unused = both
    ? ` One that nothing uses any more: \`kubectl delete lease -n NAMESPACE cephbackup\`.`
    : '';
  return new CephbackupError('LEASE_ELSEWHERE', `backups of this cluster have ${where}`, {
    guidance: `Pass ${others.map((namespace) => `--lease-namespace ${namespace}`).join(' or ')}: who takes another lease is kept apart from no backup.${unused}`,
  });
}
