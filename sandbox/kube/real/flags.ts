import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** The files that kube-apiserver knows its accounts by. */
export interface Keys {
  tokens: string;
  signing: string;
  public: string;
}

export function writeKeys(dir: string, adminToken: string): Keys {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const write = (name: string, text: string) => {
    const file = path.join(dir, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  return {
    tokens: write('tokens.csv', `${adminToken},admin,admin,system:masters\n`),
    signing: write('accounts.key', privateKey),
    public: write('accounts.pub', publicKey),
  };
}

export function etcdFlags(dir: string, url: string, peerUrl: string): string[] {
  return [
    `--data-dir=${path.join(dir, 'etcd')}`,
    // Nothing here needs to survive a power cut.
    '--unsafe-no-fsync',
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--log-level=warn',
  ];
}

export function apiserverFlags(dir: string, etcdUrl: string, port: number, keys: Keys): string[] {
  return [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    // It makes its own serving certificate there.
    `--cert-dir=${dir}`,
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.200.0.0/24',
    '--authorization-mode=RBAC',
    // As in every cluster whose storage is Ceph.
    '--allow-privileged',
    `--token-auth-file=${keys.tokens}`,
    `--service-account-key-file=${keys.public}`,
    `--service-account-signing-key-file=${keys.signing}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    // Without controllers there are no default service accounts, and nobody removes protecting finalizers.
    '--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection',
    // Pages of a list then come from etcd, whose compaction expires them, as in most clusters.
    '--feature-gates=ListFromCacheSnapshot=false',
  ];
}
