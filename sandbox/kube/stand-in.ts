import { randomBytes } from 'node:crypto';
import { adminRequest } from './admin.js';
import { writeKubeconfig } from './kubeconfig.js';
import { typeOfKind } from './resources.js';
import { seed } from './seed.js';
import { Access } from './stand-in/access.js';
import { Faults } from './stand-in/faults.js';
import { startServer } from './stand-in/server.js';
import { Store } from './stand-in/store.js';
import type { Rule, SandboxKube } from './types.js';

const everything: Rule = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };

/** A small HTTP server with those semantics of the Kubernetes API that this program relies on, in this process. */
export async function startStandIn({ dir, port }: { dir: string; port?: number }): Promise<SandboxKube> {
  const store = new Store();
  const access = new Access();
  const faults = new Faults();
  for (const name of ['default', 'kube-system']) {
    store.create(typeOfKind('Namespace'), undefined, { metadata: { name } });
  }
  const { url, stop } = await startServer({ store, access, faults }, port);
  const newToken = (user: string, rules: readonly Rule[], observed = true): string => {
    const token = randomBytes(24).toString('base64url');
    access.add(token, { user, rules, observed });
    return token;
  };
  const account = (user: string, rules: readonly Rule[], namespace = 'default'): string =>
    writeKubeconfig(dir, user, { url, token: newToken(user, rules), namespace });
  const request = adminRequest(url, newToken('sandbox', [everything], false));
  return {
    real: false,
    url,
    kubeconfig: account('admin', [everything]),
    request,
    seed: (objects) => seed(request, objects),
    account: (...args) => Promise.resolve(account(...args)),
    store: null,
    expireContinueTokens: () => {
      store.expireContinueTokens();
      return Promise.resolve();
    },
    faults,
    stop,
  };
}
