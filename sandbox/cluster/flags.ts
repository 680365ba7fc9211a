import path from 'node:path';
import { pauseImage } from './image.js';

/** Where the parts of a cluster listen, and where they keep their things. */
export interface Layout {
  dir: string;
  /** The API's service address, on loopback: what pods are told, and what the server listens on. */
  address: string;
  etcdPort: number;
  etcdPeerPort: number;
  kubeletPort: number;
}

export const nodeName = 'localhost';

export const files = ({ dir }: Layout) => ({
  apiCertificate: path.join(dir, 'apiserver.crt'),
  tokens: path.join(dir, 'tokens.csv'),
  accountsKey: path.join(dir, 'accounts.key'),
  accountsPublic: path.join(dir, 'accounts.pub'),
  kubeletClientKey: path.join(dir, 'kubelet-client.key'),
  kubeletClientCertificate: path.join(dir, 'kubelet-client.crt'),
  containerdSocket: path.join(dir, 'containerd.sock'),
  containerdConfig: path.join(dir, 'containerd.toml'),
  kubeletConfig: path.join(dir, 'kubelet.json'),
  cni: path.join(dir, 'cni'),
  admission: path.join(dir, 'admission.json'),
});

export function etcdFlags({ dir, etcdPort, etcdPeerPort }: Layout): string[] {
  const [client, peer] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${etcdPeerPort}`];
  return [
    `--data-dir=${path.join(dir, 'etcd')}`,
    '--unsafe-no-fsync',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=warn',
  ];
}

export function apiserverFlags(layout: Layout): string[] {
  const { dir, address, etcdPort } = layout;
  const file = files(layout);
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    // A pod in the node's network reaches the service's address without kube-proxy: the server itself listens there.
    `--bind-address=${address}`,
    '--secure-port=443',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--service-cluster-ip-range=${address.replace(/\.1$/, '.0')}/24`,
    // It makes its own certificate there, which names the service's address, too.
    `--cert-dir=${dir}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged',
    `--admission-control-config-file=${file.admission}`,
    `--token-auth-file=${file.tokens}`,
    `--service-account-key-file=${file.accountsPublic}`,
    `--service-account-signing-key-file=${file.accountsKey}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--kubelet-client-certificate=${file.kubeletClientCertificate}`,
    `--kubelet-client-key=${file.kubeletClientKey}`,
    '--kubelet-preferred-address-types=Hostname',
  ];
}

export function controllerManagerFlags(layout: Layout, kubeconfig: string): string[] {
  const file = files(layout);
  return [
    `--kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${file.accountsKey}`,
    `--root-ca-file=${file.apiCertificate}`,
    '--use-service-account-credentials',
    '--leader-elect=false',
    '--secure-port=0',
  ];
}

export function schedulerFlags(kubeconfig: string): string[] {
  return [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
}

export function kubeletFlags(layout: Layout, kubeconfig: string): string[] {
  return [
    `--config=${files(layout).kubeletConfig}`,
    `--kubeconfig=${kubeconfig}`,
    `--root-dir=${path.join(layout.dir, 'kubelet')}`,
    `--cert-dir=${path.join(layout.dir, 'kubelet-certificates')}`,
    // A name that this machine resolves, so that the API server finds the kubelet: for `kubectl logs`.
    `--hostname-override=${nodeName}`,
  ];
}

/** What a namespace without labels lets pods do: `privileged` is the default of Kubernetes, `baseline` that of some distributions. */
export type PodSecurity = 'privileged' | 'baseline' | 'restricted';

/** https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/ */
export function admissionConfig(enforce: PodSecurity): object {
  const configuration = {
    apiVersion: 'pod-security.admission.config.k8s.io/v1',
    kind: 'PodSecurityConfiguration',
    defaults: { enforce },
    exemptions: { namespaces: ['kube-system'] },
  };
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: [{ name: 'PodSecurity', configuration }],
  };
}

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/, for a guest on a shared machine. */
export function kubeletConfig(layout: Layout): object {
  const file = files(layout);
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${file.containerdSocket}`,
    podLogsDir: path.join(layout.dir, 'logs'),
    address: '127.0.0.1',
    port: layout.kubeletPort,
    healthzPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: file.kubeletClientCertificate },
    },
    authorization: { mode: 'AlwaysAllow' },
    // The machine's cgroups and limits stay as they are.
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    makeIPTablesUtilChains: false,
    oomScoreAdj: 0,
    // Its disk is not the node's own.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '0.1%',
      'nodefs.inodesFree': '0.1%',
      'imagefs.available': '0.1%',
    },
  };
}

export function containerdConfig(layout: Layout): string {
  const file = files(layout);
  return `version = 2
root = "${path.join(layout.dir, 'containerd')}"
state = "${path.join(layout.dir, 'containerd-state')}"
[grpc]
  address = "${file.containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${file.cni}"
`;
}

/** Pods have the node's network or none: nothing of the machine's network is touched. */
export const cniConfig = { cniVersion: '0.4.0', name: 'none', plugins: [{ type: 'loopback' }] };
