import { CephbackupError } from '../errors/error.js';
import type { KubeApi } from '../kube/api.js';
import { hasStatus } from '../kube/errors.js';
import { podsInPath } from '../kube/paths.js';
import type { PodHook } from './plan.js';
import { isRunning, type Pod } from './pod.js';

/** @throws CephbackupError HOOK_FAILED: without the pods nobody knows whether there is a hook */
export async function podsIn(api: KubeApi, namespace: string, signal: AbortSignal): Promise<Pod[]> {
  try {
    return await api.list<Pod>(podsInPath(namespace), { signal });
  } catch (thrown) {
    if (signal.aborted || !(thrown instanceof CephbackupError)) throw thrown;
    const guidance = hasStatus(thrown, 403)
      ? 'Grant `pods list` and `pods/exec create, get` (the chart: hooks.enabled), or run without --hooks.'
      : thrown.guidance;
    throw new CephbackupError('HOOK_FAILED', `hooks cannot be looked for: ${thrown.message}`, {
      guidance,
      cause: thrown,
    });
  }
}

/** Whether the hook's very pod is there, and its container is running; null where the API does not say. */
export async function isThere(api: KubeApi, hook: PodHook, signal: AbortSignal): Promise<boolean | null> {
  const query = { fieldSelector: `metadata.name=${hook.pod}` };
  const short = { query, signal, timeoutMs: 5_000, patienceMs: 0 };
  try {
    const pods = await api.list<Pod>(podsInPath(hook.namespace), short);
    const same = pods.find(({ metadata }) => metadata?.uid === hook.uid);
    return same?.status?.phase === 'Running' && isRunning(same, hook.container);
  } catch {
    return null;
  }
}
