import { mkdirSync } from 'node:fs';
import { startReal } from './real.js';
import { startStandIn } from './stand-in.js';
import type { SandboxKube } from './types.js';

export type { Rule, SandboxKube } from './types.js';
export type { Fault, FaultMode, Faults, SeenRequest } from './stand-in/faults.js';

export interface KubeOptions {
  /** A folder for the kubeconfigs and, where the API is real, for its data and logs. */
  dir: string;
  /** Default: whether KUBEBUILDER_ASSETS names a folder with `etcd` and `kube-apiserver`. */
  real?: boolean;
}

/** Starts a Kubernetes API on free ports of the loopback interface. It dies with this process. */
export async function startKube({ dir, real }: KubeOptions): Promise<SandboxKube> {
  mkdirSync(dir, { recursive: true });
  const assets = process.env.KUBEBUILDER_ASSETS ?? '';
  if (!(real ?? assets !== '')) return startStandIn({ dir });
  if (assets === '') throw new Error('a real Kubernetes API needs KUBEBUILDER_ASSETS to be set');
  return startReal({ dir, assets });
}
