import type { KubeObject } from '../../lib/kube/types.js';
import type { Faults } from './stand-in/faults.js';

/** What an account may do, as in a Role or ClusterRole. */
export interface Rule {
  /** `''` is the core group. */
  apiGroups: string[];
  /** Plural names, with a subresource as `pods/status`. */
  resources: string[];
  verbs: string[];
  /** Only in this namespace; everywhere (and cluster-scoped objects) where it is absent. */
  namespace?: string;
}

export interface Answer {
  status: number;
  body: unknown;
}

/** Sends one request with an administrator's credentials; any status is an answer. */
export type AdminRequest = (
  method: string,
  path: string,
  body?: unknown,
  contentType?: string,
) => Promise<Answer>;

/** A running Kubernetes API: the stand-in or a real kube-apiserver. */
export interface SandboxKube {
  readonly real: boolean;
  readonly url: string;
  /** Path of an administrator's kubeconfig; its context's namespace is `default`. */
  readonly kubeconfig: string;
  readonly request: AdminRequest;
  /**
   * Creates the objects with their status, in the order that their references need, namespaces that are missing
   * included. A PV's `claimRef.uid` that is absent, or that is the UID a seeded claim was given, becomes the UID that
   * the API gave to that claim; any other stays as it is.
   *
   * @returns the objects as the API stores them, in the order given.
   */
  seed(objects: readonly KubeObject[]): Promise<KubeObject[]>;
  /** Path of a kubeconfig of a new account that may do exactly this, with `namespace` (`default`) as its context's. */
  account(name: string, rules: readonly Rule[], namespace?: string): Promise<string>;
  /** From now on the `continue` tokens handed out so far are answered with 410. */
  expireContinueTokens(): Promise<void>;
  /** Writes many objects past the API, as they are, into what it keeps them in; null where the API is not real. */
  readonly store: ((objects: readonly KubeObject[]) => Promise<void>) | null;
  /** Makes requests fail; null where the API is real. */
  readonly faults: Faults | null;
  /** Leaves no process, socket or file outside `dir` behind. */
  stop(): Promise<void>;
}
