import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  invalidKubeconfig,
  readKubeconfig,
  resolveContext,
  type ClusterFields,
  type Kubeconfig,
  type UserFields,
} from './kubeconfig.js';
import { proxyFor } from './proxy.js';

/** Which server to talk to, as whom. Paths are absolute. */
export interface Connection {
  server: string;
  cluster: ClusterFields;
  user: UserFields;
  /** The namespace of the context or of the pod; `default` where there is none. */
  namespace: string;
  /** A pod's service account, and no kubeconfig. */
  inPod: boolean;
}

/** Where every pod finds its service account. */
const podAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The connection that `file`, else the pod's service account, else the default kubeconfig (`KUBECONFIG`,
 * `~/.kube/config`) describes.
 *
 * @throws CephbackupError KUBECONFIG_INVALID
 */
export async function findConnection(
  file: string | null,
  env: NodeJS.ProcessEnv,
  accountFolder = podAccount,
): Promise<Connection> {
  if (file !== null) return throughProxy(resolveContext([await readKubeconfig(file)], file), env);
  const pod = await inCluster(env, accountFolder);
  if (pod !== null) return pod;
  const files = defaultFiles(env);
  const configs: Kubeconfig[] = [];
  for (const candidate of files) {
    // As kubectl does: a file of the list that does not exist is not missed.
    if (await exists(candidate)) configs.push(await readKubeconfig(candidate));
  }
  if (configs.length === 0) {
    const where = files.length === 0 ? 'HOME and KUBECONFIG are not set' : `no file ${files.join(', ')}`;
    throw invalidKubeconfig(`there is no Kubernetes configuration: not in a pod, and ${where}`);
  }
  return throughProxy(resolveContext(configs, files.join(':')), env);
}

/** A kubeconfig's server is reached as kubectl reaches it; a pod's own API is next to it. */
function throughProxy(connection: Connection, env: NodeJS.ProcessEnv): Connection {
  const { server, cluster } = connection;
  const proxy = cluster['proxy-url'] ?? proxyFor(server, env);
  return proxy === null ? connection : { ...connection, cluster: { ...cluster, 'proxy-url': proxy } };
}

/** Whether there is any configuration to be found without --kubeconfig; it may still be invalid. */
export async function isConfigured(env: NodeJS.ProcessEnv, accountFolder = podAccount): Promise<boolean> {
  if ((await inCluster(env, accountFolder)) !== null) return true;
  const found = await Promise.all(defaultFiles(env).map(exists));
  return found.includes(true);
}

function defaultFiles(env: NodeJS.ProcessEnv): string[] {
  const listed = (env.KUBECONFIG ?? '').split(path.delimiter).filter((name) => name !== '');
  if (listed.length > 0) return listed;
  return env.HOME === undefined || env.HOME === '' ? [] : [path.join(env.HOME, '.kube', 'config')];
}

async function inCluster(env: NodeJS.ProcessEnv, accountFolder: string): Promise<Connection | null> {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env;
  const tokenFile = path.join(accountFolder, 'token');
  if (host === '' || !(await exists(tokenFile))) return null;
  const namespace = (await readFile(path.join(accountFolder, 'namespace'), 'utf8').catch(() => '')).trim();
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    cluster: { 'certificate-authority': path.join(accountFolder, 'ca.crt') },
    user: { tokenFile },
    namespace: namespace === '' ? 'default' : namespace,
    inPod: true,
  };
}

/** A file that is there but may not be read exists: that is an error to be told, not a file to be passed over. */
async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    (thrown: unknown) => (thrown as NodeJS.ErrnoException).code !== 'ENOENT',
  );
}
