import type { Values } from '../../cli/options.js';
import type { commonOptions } from './options/common.js';
import type { selectionOptions } from './options/selection.js';
import type { KubeApi } from '../../kube/api.js';
import { connectKube } from '../../kube/client.js';
import { clusterIdOf, readInventory } from '../../kube/inventory.js';
import type { Inventory } from '../../kube/types.js';
import type { Policy } from '../../plan/policy.js';
import { installationId } from '../../ownership/names.js';
import type { CommandContext } from '../../cli/command.js';
import { shardOf } from '../../cli/shard.js';
import { readClusters } from './files-of-options.js';

export const defaultPrefix = 'cephbackup.hpc.nyu.edu';

type SelectionValues = Values<typeof selectionOptions> & { annotationPrefix: string | null };
type ClusterValues = Pick<
  Values<typeof commonOptions>,
  'kubeconfig' | 'clusterName' | 'leaseNamespace' | 'annotationPrefix'
>;

/** The policy that the options describe. @throws CephbackupError USAGE */
export function policyOf(options: SelectionValues, env: NodeJS.ProcessEnv): Policy {
  const { namespaces, excludeNamespaces, pvcs, selector, storageClasses, minAge, cephClusters, drivers } =
    options;
  return {
    prefix: options.annotationPrefix ?? defaultPrefix,
    namespaces,
    excludeNamespaces,
    pvcs,
    selector,
    storageClasses,
    minAgeMs: minAge,
    shard: shardOf(options.shard, env),
    drivers,
    optIn: options.optIn === true,
    clusters: readClusters(cephClusters),
  };
}

/** The options that narrow a run, left out: for commands that look at all claims. */
export const notNarrowed = {
  namespaces: [],
  excludeNamespaces: [],
  pvcs: [],
  selector: null,
  storageClasses: [],
  minAge: null,
  shard: null,
  optIn: null,
};

/**
 * Whether options leave out some claims of a namespace, and with them members of a group, that the policy selects;
 * `--shard` and `--min-age` leave them for other runs.
 */
export function isNarrowed({
  pvcs,
  selector,
  storageClasses,
}: Pick<SelectionValues, 'pvcs' | 'selector' | 'storageClasses'>): boolean {
  return selector !== null || pvcs.length > 0 || storageClasses.length > 0;
}

/** The Kubernetes cluster of this start of the program. */
export interface Cluster {
  api: KubeApi;
  inventory: Inventory;
  /** UID of the namespace kube-system. */
  uid: string;
  /** The tag `cluster=` in the repository. */
  name: string;
  prefix: string;
  leaseNamespace: string;
  /** Whose objects in Ceph are ours. */
  installation: string;
}

/** @throws CephbackupError KUBE_… */
export async function readCluster(context: CommandContext<ClusterValues>): Promise<Cluster> {
  const { options, env, log, signal } = context;
  const api = await connectKube({ kubeconfig: options.kubeconfig, env, log, signal });
  const inventory = await readInventory(api, { signal });
  const uid = clusterIdOf(inventory.namespaces);
  const prefix = options.annotationPrefix ?? defaultPrefix;
  const leaseNamespace = options.leaseNamespace ?? api.contextNamespace;
  const installation = installationId(uid, leaseNamespace, prefix);
  return { api, inventory, uid, name: options.clusterName ?? uid, prefix, leaseNamespace, installation };
}
