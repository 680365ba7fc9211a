import { platform } from 'node:os';
import type { ClusterFields, ExecFields } from './kubeconfig.js';

/** How long a credential plugin may take. */
const deadlineSeconds = 60;

/**
 * A credential plugin is the user's own program and gets the user's environment, as from kubectl; it has a deadline and
 * dies with this program.
 */
export function contained(exec: ExecFields, cluster: ClusterFields): ExecFields {
  const { command = '', args } = exec;
  const told = { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(execInfo(exec, cluster)) };
  const own = {
    ...exec,
    env: [told, ...(exec.env ?? []).map(({ name, value }) => ({ name, value: value ?? '' }))],
  };
  // Elsewhere (`list` runs wherever the kubeconfig is) these programs do not exist.
  if (platform() !== 'linux') return own;
  const wrapper = ['--pdeathsig', 'KILL', '--'];
  const deadline = ['timeout', '--foreground', '--kill-after=5', String(deadlineSeconds)];
  return { ...own, command: 'setpriv', args: [...wrapper, ...deadline, command, ...(args ?? [])] };
}

/** What kubectl tells a plugin (https://kubernetes.io/docs/reference/access-authn-authz/authentication/). */
function execInfo({ apiVersion, provideClusterInfo }: ExecFields, cluster: ClusterFields): unknown {
  const info = {
    server: cluster.server,
    'tls-server-name': cluster['tls-server-name'],
    'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'],
    'certificate-authority-data': cluster['certificate-authority-data'],
    'proxy-url': cluster['proxy-url'],
  };
  return {
    apiVersion: apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false, ...(provideClusterInfo === true ? { cluster: info } : {}) },
  };
}
