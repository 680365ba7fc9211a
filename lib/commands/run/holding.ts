import { asCephbackupError } from '../../errors/error.js';
import { Hooks } from '../../hooks/hooks.js';
import { hookedPods } from '../../hooks/plan.js';
import type { Pod } from '../../hooks/pod.js';
import { connectPodExec } from '../../kube/exec/exec.js';
import { podsInPath } from '../../kube/paths.js';
import type { Plan } from '../../plan/types.js';
import type { Holding } from '../../run/moment.js';
import type { Cluster } from '../shared/cluster.js';
import type { CommandContext } from '../../cli/command.js';

type HookContext = CommandContext<{ hooks: boolean | null; kubeconfig: string | null }>;

/** Who holds applications while snapshots are taken; nobody without --hooks. @throws CephbackupError KUBECONFIG_INVALID */
export async function holdingFor(
  context: HookContext,
  { api, prefix }: Cluster,
  plan: Plan,
): Promise<Holding> {
  const elsewhere = (namespace: string) =>
    new Set(
      plan.volumes
        .filter((volume) => volume.reason === 'other-shard' && volume.namespace === namespace)
        .map(({ pvc }) => pvc),
    );
  if (context.options.hooks !== true) return { hooks: null, elsewhere };
  const exec = await connectPodExec(context.options.kubeconfig, context.env);
  return { hooks: new Hooks({ api, exec, prefix }), elsewhere };
}

const patienceMs = 5_000;

/**
 * Without --hooks: names the pods whose annotations ask for it, where pods may be listed at all. Never throws, and takes
 * a few seconds at most.
 */
export async function warnOfHooks(
  context: HookContext,
  { api, prefix }: Cluster,
  plan: Plan,
): Promise<string[]> {
  if (context.options.hooks === true) return [];
  const volumes = plan.volumes.filter(({ backup }) => backup);
  const namespaces = [...new Set(volumes.map(({ namespace }) => namespace))];
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(2 * patienceMs)]);
  const warnings: string[] = [];
  try {
    for (const namespace of namespaces) {
      const pods = await api.list<Pod>(podsInPath(namespace), { signal, patienceMs });
      const claims = new Set(volumes.filter((one) => one.namespace === namespace).map(({ pvc }) => pvc));
      for (const pod of hookedPods({ pods, claims, elsewhere: new Set(), prefix }))
        warnings.push(
          `pod/${namespace}/${pod}: its hooks are not run: that takes --hooks (chart: hooks.enabled)`,
        );
    }
  } catch (thrown) {
    const { code, message } = asCephbackupError(thrown);
    const why = code === 'KUBE_FORBIDDEN' ? 'this account may not list them (chart: hooks.enabled)' : message;
    context.log.info(`whether pods have hooks, which are not run without --hooks, is not known: ${why}`);
  }
  return warnings;
}
