import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { freePorts } from '../ports.js';
import { Daemon } from '../process.js';
import { adminRequest } from './admin.js';
import { writeKubeconfig } from './kubeconfig.js';
import { newAccount } from './real/accounts.js';
import { compact } from './real/compaction.js';
import { apiserverFlags, etcdFlags, writeKeys } from './real/flags.js';
import { storeInEtcd } from './real/store.js';
import { seed } from './seed.js';
import type { SandboxKube } from './types.js';

/**
 * etcd and kube-apiserver of `assets`, with RBAC, on free loopback ports; data, keys and logs in `dir`. No controllers
 * run: nothing binds claims, and a namespace that is deleted stays `Terminating`.
 */
export async function startReal({ dir, assets }: { dir: string; assets: string }): Promise<SandboxKube> {
  const data = path.join(dir, 'control-plane');
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const [etcdPort = 0, peerPort = 0, port = 0] = await freePorts(3);
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const url = `https://127.0.0.1:${port}`;
  const token = randomBytes(24).toString('base64url');
  const daemons: Daemon[] = [];
  const start = (name: string, flags: string[]): Daemon => {
    const daemon = new Daemon(name, path.join(assets, name), flags, path.join(data, `${name}.log`));
    daemons.push(daemon);
    return daemon;
  };
  const stop = async () => {
    for (const daemon of daemons.toReversed()) await daemon.stop();
    rmSync(data, { recursive: true, force: true });
  };
  try {
    start('etcd', etcdFlags(data, etcdUrl, `http://127.0.0.1:${peerPort}`));
    const keys = writeKeys(data, token);
    const apiserver = start('kube-apiserver', apiserverFlags(data, etcdUrl, port, keys));
    // The server makes its certificate itself, and is its own authority.
    const certificate = () => readFileSync(path.join(data, 'apiserver.crt'), 'utf8');
    await apiserver.until(() => isReady(url, token, certificate));
    const ca = certificate();
    const request = adminRequest(url, token, ca);
    return {
      real: true,
      url,
      kubeconfig: writeKubeconfig(dir, 'admin', { url, token, ca, namespace: 'default' }),
      request,
      seed: (objects) => seed(request, objects),
      account: async (name, rules, namespace = 'default') =>
        writeKubeconfig(dir, name, { url, token: await newAccount(request, name, rules), ca, namespace }),
      expireContinueTokens: () => compact(etcdUrl),
      store: (objects) => storeInEtcd(etcdUrl, objects),
      faults: null,
      stop,
    };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Ready, and the namespaces are there that the server creates by itself a little later. */
async function isReady(url: string, token: string, certificate: () => string): Promise<boolean> {
  const paths = ['/readyz', '/api/v1/namespaces/default', '/api/v1/namespaces/kube-system'];
  try {
    const request = adminRequest(url, token, certificate());
    const answers = await Promise.all(paths.map((at) => request('GET', at)));
    return answers.every(({ status }) => status === 200);
  } catch {
    // Not listening yet, or its certificate is not written yet.
    return false;
  }
}
