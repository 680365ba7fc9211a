import { printable } from '../log/logger.js';
import { hookKeys, parseHooks, type HookSettings } from './annotations.js';
import { mountedClaims, isRunning, lastingContainers, type Pod } from './pod.js';

/** What is done in one pod around a snapshot. */
export interface PodHook {
  namespace: string;
  pod: string;
  uid: string;
  container: string;
  pre: readonly string[] | null;
  post: readonly string[] | null;
  timeoutMs: number;
  onError: 'fail' | 'continue';
  /** Why nothing can be run there; null where it can. */
  problem: string | null;
}

export interface HookPlan {
  /** In the order in which their `pre` is run: by the pods' names, bytewise. */
  hooks: PodHook[];
  warnings: string[];
}

/** What kubectl's `exec` takes where no container is named. */
const defaultContainer = 'kubectl.kubernetes.io/default-container';

export interface HookRequest {
  /** Of the claims' namespace. */
  pods: readonly Pod[];
  /** Names of the claims whose snapshots are taken. */
  claims: ReadonlySet<string>;
  /** Names of claims that another shard backs up: its hooks would come between. */
  elsewhere: ReadonlySet<string>;
  /** Of annotations, without the slash. */
  prefix: string;
}

/**
 * The hooks around a snapshot of these claims: those of all running pods that mount one of them, each pod once. Pods
 * that have ended do not count, and neither do those that have not begun: nothing runs there yet that could be asked.
 */
export function planHooks({ pods, claims, elsewhere, prefix }: HookRequest): HookPlan {
  const warnings: string[] = [];
  const hooks = pods
    .filter((pod) => pod.status?.phase === 'Running' && mountedClaims(pod).some((claim) => claims.has(claim)))
    .flatMap((pod) => {
      const annotations = pod.metadata?.annotations ?? {};
      const settings = parseHooks(annotations, prefix);
      const object = `pod/${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`;
      for (const text of [...oddKeys(annotations, prefix), ...(settings?.warnings ?? [])])
        warnings.push(printable(`${object}: ${text}`));
      return settings === null ? [] : [hookOf(pod, settings, elsewhere)];
    })
    .sort((a, b) => Buffer.compare(Buffer.from(a.pod), Buffer.from(b.pod)));
  return { hooks, warnings };
}

/** The names of the pods that have a hook for one of the claims. */
export function hookedPods(request: HookRequest): string[] {
  return planHooks(request).hooks.map(({ pod }) => printable(pod));
}

/** A misspelt `pre-snaphsot` must not go unnoticed. */
function oddKeys(annotations: Readonly<Record<string, unknown>>, prefix: string): string[] {
  const known: readonly string[] = hookKeys;
  return Object.keys(annotations)
    .filter((name) => name.startsWith(`${prefix}/`) && !known.includes(name.slice(prefix.length + 1)))
    .map((name) => `annotation ${printable(name).slice(0, 80)} is unknown and has no effect`);
}

function hookOf(pod: Pod, settings: HookSettings, elsewhere: ReadonlySet<string>): PodHook {
  const { pre, post, timeoutMs, onError } = settings;
  const lasting = lastingContainers(pod);
  const preferred = pod.metadata?.annotations?.[defaultContainer];
  const container =
    settings.container ??
    (typeof preferred === 'string' && lasting.includes(preferred) ? preferred : (lasting[0] ?? ''));
  return {
    namespace: pod.metadata?.namespace ?? '',
    pod: pod.metadata?.name ?? '',
    uid: pod.metadata?.uid ?? '',
    container,
    pre,
    post,
    timeoutMs,
    onError,
    problem: settings.problem ?? containerProblem(pod, container, lasting) ?? shardProblem(pod, elsewhere),
  };
}

function containerProblem(pod: Pod, container: string, lasting: readonly string[]): string | null {
  const shown = printable(JSON.stringify(container)).slice(0, 80);
  if (!lasting.includes(container)) return `there is no container ${shown} that runs as long as the pod`;
  return isRunning(pod, container) ? null : `the container ${shown} is not running`;
}

/** Hooks of two shards would come between each other: one's post would let go what the other holds. */
function shardProblem(pod: Pod, elsewhere: ReadonlySet<string>): string | null {
  const other = mountedClaims(pod).find((claim) => elsewhere.has(claim));
  if (other === undefined) return null;
  return `it also mounts ${printable(other)}, which another shard backs up: annotate both claims with the same group`;
}
