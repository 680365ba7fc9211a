import type { KubeObject } from './types.js';

export interface RequestOptions {
  /** Replaces the signal of the connection: what must still be done after an abort brings its own. */
  signal?: AbortSignal;
  /** How long one attempt may take. */
  timeoutMs?: number;
  /** No further attempt is begun after so long; 0: a single attempt. */
  patienceMs?: number;
}

export interface ListOptions extends RequestOptions {
  query?: Record<string, string>;
}

export interface WriteOptions extends RequestOptions {
  /**
   * Whether the write may be sent again although it is not known whether the server has carried it out. Only for
   * writes that come to the same when they are carried out twice.
   */
  repeatable?: boolean;
}

export type PatchType = 'application/json-patch+json' | 'application/merge-patch+json';

/** The server's clock when it last answered, and ours at that moment. */
export interface ClockReading {
  /** The server tells whole seconds. */
  server: number;
  local: number;
}

/**
 * The Kubernetes API: objects go in and out as the API prints them. All methods throw
 *
 * - `KubeStatusError` (KUBE_FORBIDDEN, KUBE_FAILED) where the server answers anything but 2xx in the end;
 * - CephbackupError KUBE_UNREACHABLE where it does not answer, KUBE_FAILED where the answer makes no sense;
 * - CephbackupError KUBECONFIG_INVALID where a file with credentials cannot be read (any more);
 * - the reason of the signal that was aborted.
 */
export interface KubeApi {
  /** For messages; without credentials. */
  readonly server: string;
  /** The namespace of the kubeconfig's context or of the pod, else `default`. */
  readonly contextNamespace: string;
  /** Whether the connection is a pod's own: its namespace is then no accident. */
  readonly inPod: boolean;
  get<T extends KubeObject>(path: string, options?: RequestOptions): Promise<T>;
  /** All pages, of one moment. */
  list<T extends KubeObject>(path: string, options?: ListOptions): Promise<T[]>;
  create<T extends KubeObject>(path: string, body: KubeObject, options?: WriteOptions): Promise<T>;
  replace<T extends KubeObject>(path: string, body: KubeObject, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    path: string,
    body: unknown,
    type: PatchType,
    options?: WriteOptions,
  ): Promise<T>;
  /** Null before the first answer. */
  clock(): ClockReading | null;
}
