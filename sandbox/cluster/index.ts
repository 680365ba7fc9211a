import { randomBytes, randomInt, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { adminRequest } from '../kube/admin.js';
import { writeKubeconfig } from '../kube/kubeconfig.js';
import type { AdminRequest } from '../kube/types.js';
import { freePorts } from '../ports.js';
import { attempt, Daemon, run, waitFor } from '../process.js';
import {
  admissionConfig,
  apiserverFlags,
  cniConfig,
  containerdConfig,
  controllerManagerFlags,
  etcdFlags,
  files,
  kubeletConfig,
  kubeletFlags,
  nodeName,
  schedulerFlags,
  type Layout,
  type PodSecurity,
} from './flags.js';
import { startMachine } from './machine.js';

export interface ClusterOptions {
  /** A folder that does not exist yet, for everything that the cluster keeps; `stop` removes it. */
  dir: string;
  /** The folder with etcd, kube-apiserver and the others. */
  assets: string;
  /** Archives of images that the node's containerd gets, the pause image among them. */
  archives: readonly string[];
  podSecurity: PodSecurity;
}

/** A real Kubernetes of one node on loopback: pods with `hostNetwork` run, and images are never pulled. */
export interface SandboxCluster {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly request: AdminRequest;
  stop(): Promise<void>;
}

/** Who speaks with the API, and as whom. */
const users = {
  admin: 'admin,admin,system:masters',
  'controller-manager': 'system:kube-controller-manager,kcm',
  scheduler: 'system:kube-scheduler,scheduler',
  kubelet: `system:node:${nodeName},kubelet,system:nodes`,
};

/** Needs root, containerd, runc, the loopback plugin of CNI, and openssl. Takes about 15 seconds. */
export async function startCluster({
  dir,
  assets,
  archives,
  podSecurity,
}: ClusterOptions): Promise<SandboxCluster> {
  const [etcdPort = 0, etcdPeerPort = 0, kubeletPort = 0] = await freePorts(3);
  const layout: Layout = { dir, address: serviceAddress(), etcdPort, etcdPeerPort, kubeletPort };
  const url = `https://${layout.address}`;
  const daemons: Daemon[] = [];
  const program = (name: string) => path.join(assets, name);
  const start = (name: string, flags: string[]) => {
    const daemon = new Daemon(name, program(name), flags, path.join(dir, `${name}.log`));
    daemons.push(daemon);
    return daemon;
  };
  const stop = async () => {
    for (const daemon of daemons.toReversed()) await daemon.stop('SIGKILL');
    await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const tokens = await writeFiles(layout, podSecurity);
    start('etcd', etcdFlags(layout));
    const apiserver = start('kube-apiserver', apiserverFlags(layout));
    const certificate = () => readFileSync(files(layout).apiCertificate, 'utf8');
    await apiserver.until(() => isReady(url, tokens.admin, certificate));
    const ca = certificate();
    const kubeconfig = (user: keyof typeof users) =>
      writeKubeconfig(dir, user, { url, token: tokens[user], ca, namespace: 'default' });
    start('kube-controller-manager', controllerManagerFlags(layout, kubeconfig('controller-manager')));
    start('kube-scheduler', schedulerFlags(kubeconfig('scheduler')));
    const machine = startMachine({
      dir,
      containerdConfig: files(layout).containerdConfig,
      kubelet: program('kubelet'),
      kubeletFlags: kubeletFlags(layout, kubeconfig('kubelet')),
    });
    daemons.push(machine);
    await machine.until(() => existsSync(files(layout).containerdSocket), 30_000);
    for (const archive of archives) await importImage(layout, archive);
    const request = adminRequest(url, tokens.admin, ca);
    await waitFor('the node to be ready', 60_000, () => isNodeReady(request), 250);
    return { kubeconfig: kubeconfig('admin'), request, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Of its own, so that two clusters on one machine do not meet. */
function serviceAddress(): string {
  return `127.${randomInt(100, 250)}.${randomInt(1, 250)}.1`;
}

/** Keys, tokens and configuration. @returns the users' tokens */
async function writeFiles(
  layout: Layout,
  podSecurity: PodSecurity,
): Promise<Record<keyof typeof users, string>> {
  const file = files(layout);
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const tokens = Object.fromEntries(
    Object.keys(users).map((user) => [user, randomBytes(24).toString('base64url')]),
  ) as Record<keyof typeof users, string>;
  const lines = Object.entries(users).map(
    ([user, names]) => `${tokens[user as keyof typeof users]},${names}\n`,
  );
  await mkdir(file.cni);
  await Promise.all([
    writeFile(file.tokens, lines.join(''), { mode: 0o600 }),
    writeFile(file.accountsKey, keys.privateKey, { mode: 0o600 }),
    writeFile(file.accountsPublic, keys.publicKey),
    writeFile(file.containerdConfig, containerdConfig(layout)),
    writeFile(file.admission, JSON.stringify(admissionConfig(podSecurity))),
    writeFile(file.kubeletConfig, JSON.stringify(kubeletConfig(layout))),
    writeFile(path.join(file.cni, '10-none.conflist'), JSON.stringify(cniConfig)),
    // The kubelet accepts this one certificate, as its own authority.
    run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=kube-apiserver'],
      ...['-keyout', file.kubeletClientKey, '-out', file.kubeletClientCertificate],
    ]),
  ]);
  return tokens;
}

async function importImage(layout: Layout, archive: string): Promise<void> {
  const containerd = ['--address', files(layout).containerdSocket, '--namespace', 'k8s.io'];
  await waitFor(
    'containerd',
    30_000,
    async () => (await attempt('ctr', [...containerd, 'version'])).code === 0,
  );
  await run('ctr', [...containerd, 'images', 'import', archive], { timeout: 180_000 });
}

async function isReady(url: string, token: string, certificate: () => string): Promise<boolean> {
  try {
    const request = adminRequest(url, token, certificate());
    const paths = ['/readyz', '/api/v1/namespaces/default', '/api/v1/namespaces/kube-system'];
    const answers = await Promise.all(paths.map((at) => request('GET', at)));
    return answers.every(({ status }) => status === 200);
  } catch {
    // Not listening yet, or its certificate is not written yet.
    return false;
  }
}

async function isNodeReady(request: AdminRequest): Promise<boolean> {
  const { body } = await request('GET', `/api/v1/nodes/${nodeName}`);
  const conditions = (body as { status?: { conditions?: { type: string; status: string }[] } }).status
    ?.conditions;
  return conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
