import { asCephbackupError } from '../../errors/error.js';
import type { KubeApi } from '../../kube/api.js';
import { connectKube } from '../../kube/client.js';
import { isConfigured } from '../../kube/connection.js';
import { readClusterId } from '../../kube/inventory.js';
import type { CommandContext } from '../../cli/command.js';

/** The cluster that this program speaks with, as far as it can. */
export interface OwnCluster {
  /** Null where no API is configured, or none answers. */
  api: KubeApi | null;
  /** The tag `cluster=` of its backups; null where it is not known. */
  name: string | null;
  warnings: string[];
}

/** What needs no cluster must not wait long for one that is lost. */
const patienceMs = 5_000;

/**
 * For commands that work without Kubernetes, too: an API that does not answer is a warning.
 * @param required whether one that is configured has to answer
 * @throws CephbackupError KUBECONFIG_INVALID where the one named with --kubeconfig cannot be read; with `required`
 * also as KubeApi
 */
export async function ownCluster(
  { options, env, log, signal }: CommandContext<{ kubeconfig: string | null; clusterName: string | null }>,
  required = false,
): Promise<OwnCluster> {
  const { kubeconfig, clusterName } = options;
  if (kubeconfig === null && !(await isConfigured(env)))
    return { api: null, name: clusterName, warnings: [] };
  try {
    const api = await connectKube({ kubeconfig, env, log, signal, patienceMs });
    const id = await readClusterId(api, { patienceMs, timeoutMs: patienceMs });
    return { api, name: clusterName ?? id, warnings: [] };
  } catch (thrown) {
    const error = asCephbackupError(thrown);
    if (required || signal.aborted || (kubeconfig !== null && error.code === 'KUBECONFIG_INVALID'))
      throw error;
    return { api: null, name: clusterName, warnings: [`going on without Kubernetes: ${error.message}`] };
  }
}
