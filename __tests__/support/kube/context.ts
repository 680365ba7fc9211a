import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import type { KubeApi } from '../../../lib/kube/api.js';
import { connectKube } from '../../../lib/kube/client.js';
import { silent, type Logger } from '../../../lib/log/logger.js';
import { startKube, type Rule, type SandboxKube } from '../../../sandbox/kube/index.js';

/** A Kubernetes API for the tests of one file, and connections to it. */
export interface KubeContext {
  readonly kube: SandboxKube;
  connect(options?: {
    kubeconfig?: string;
    signal?: AbortSignal;
    log?: Logger;
    patienceMs?: number;
  }): Promise<KubeApi>;
  /** A connection of a new account that may do exactly this. */
  connectAs(name: string, rules: readonly Rule[], namespace?: string): Promise<KubeApi>;
}

/** Starts the API before the tests of this file and stops it after them. */
export function kubeContext(real: boolean): KubeContext {
  let running: SandboxKube | undefined;
  let dir = '';
  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'cephbackup-kube-'));
    running = await startKube({ dir, real });
  });
  afterAll(async () => {
    await running?.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const kube = (): SandboxKube => {
    if (running === undefined) throw new Error('the Kubernetes API was not started');
    return running;
  };
  const connect: KubeContext['connect'] = ({ kubeconfig, signal, log, patienceMs } = {}) =>
    connectKube({
      kubeconfig: kubeconfig ?? kube().kubeconfig,
      env: {},
      log: log ?? silent,
      signal: signal ?? new AbortController().signal,
      patienceMs: patienceMs ?? 5_000,
    });
  return {
    get kube() {
      return kube();
    },
    connect,
    connectAs: async (name, rules, namespace) =>
      connect({ kubeconfig: await kube().account(name, rules, namespace) }),
  };
}
