import type { KubeApi } from '../kube/api.js';
import type { PodExec } from '../kube/exec/exec.js';
import type { Logger } from '../log/logger.js';
import { hold } from './hold.js';
import { planHooks } from './plan.js';
import { isThere, podsIn } from './pods.js';
import { Turns } from './turns.js';

export interface HooksTools {
  api: KubeApi;
  exec: PodExec;
  /** Of annotations, without the slash. */
  prefix: string;
  /** For a `post` that does not succeed at once. */
  patienceMs?: number;
  /** For what is done between the hooks. */
  limitMs?: number;
}

/** What is held, and who is told. */
export interface HoldRequest {
  namespace: string;
  /** Names of the claims whose pods are held. */
  claims: ReadonlySet<string>;
  /** Names of claims of the namespace that other shards back up. */
  elsewhere: ReadonlySet<string>;
  signal: AbortSignal;
  log: Logger;
  warn: (text: string) => void;
  /** Is told, where anybody is held, for how long; also where that fails. */
  held: (seconds: number) => void;
}

/** A rerun of post is begun for so long after the first one; the grace period of a pod that ends must be longer. */
export const defaultPatienceMs = 60_000;
const defaultLimitMs = 60_000;

/** Holds applications around snapshots: in each namespace one after the other, so that no post thaws another's hold. */
export class Hooks {
  readonly #turns = new Turns();

  constructor(private readonly tools: HooksTools) {}

  /** Takes something while the pods of the claims are held. @throws as `hold`, and as `podsIn` */
  async around<T>(request: HoldRequest, take: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { namespace, signal } = request;
    // Without hooks nobody waits for a turn.
    if ((await this.#hooks(request)).length === 0) return take(signal);
    return this.#turns.take(namespace, async () => {
      signal.throwIfAborted();
      // The pods as they are now, and not as they were before others had their turns.
      const hooks = await this.#hooks(request, request.warn);
      if (hooks.length === 0) return take(signal);
      const { api, exec, patienceMs = defaultPatienceMs, limitMs = defaultLimitMs } = this.tools;
      const { log, warn, held } = request;
      const there = (hook: (typeof hooks)[number], until: AbortSignal) => isThere(api, hook, until);
      return hold({ exec, isThere: there, log, warn, signal, patienceMs, limitMs, held }, hooks, take);
    });
  }

  async #hooks(
    { namespace, claims, elsewhere, signal }: HoldRequest,
    warn: (text: string) => void = () => undefined,
  ) {
    const pods = await podsIn(this.tools.api, namespace, signal);
    const { hooks, warnings } = planHooks({ pods, claims, elsewhere, prefix: this.tools.prefix });
    warnings.forEach(warn);
    return hooks;
  }
}
