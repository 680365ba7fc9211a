import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminRequest } from './admin.js';
import { writeKubeconfig } from './kubeconfig.js';
import { seed } from './seed.js';
import type { AdminRequest, Rule, SandboxKube } from './types.js';

const readyWithin = 60_000;
const endsWithin = 10_000;

/**
 * etcd and kube-apiserver of `assets`, with RBAC, on free loopback ports; data, keys and logs in `dir`. No controllers
 * run: nothing binds claims, and a namespace that is deleted stays `Terminating`.
 */
export async function startReal({ dir, assets }: { dir: string; assets: string }): Promise<SandboxKube> {
  const data = path.join(dir, 'control-plane');
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const [etcdPort, peerPort, port] = await freePorts();
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const url = `https://127.0.0.1:${port}`;
  const token = randomBytes(24).toString('base64url');
  const keys = writeKeys(data, token);
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.toReversed()) await end(child);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    children.push(
      start(path.join(assets, 'etcd'), etcdArgs(data, etcdUrl, `http://127.0.0.1:${peerPort}`), data),
    );
    children.push(start(path.join(assets, 'kube-apiserver'), apiserverArgs(data, etcdUrl, port, keys), data));
    const request = await whenReady(url, token, path.join(data, 'apiserver.crt'), children);
    const ca = readFileSync(path.join(data, 'apiserver.crt'), 'utf8');
    return {
      real: true,
      url,
      kubeconfig: writeKubeconfig(dir, 'admin', { url, token, ca, namespace: 'default' }),
      request,
      seed: (objects) => seed(request, objects),
      account: async (name, rules, namespace = 'default') =>
        writeKubeconfig(dir, name, { url, token: await newAccount(request, name, rules), ca, namespace }),
      expireContinueTokens: () => compact(etcdUrl),
      faults: null,
      stop,
    };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

interface Keys {
  tokens: string;
  signing: string;
  public: string;
}

function writeKeys(dir: string, adminToken: string): Keys {
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

function etcdArgs(dir: string, url: string, peerUrl: string): string[] {
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

function apiserverArgs(dir: string, etcdUrl: string, port: number, keys: Keys): string[] {
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

/** It dies with this process, however that ends. */
function start(program: string, args: string[], dir: string): ChildProcess {
  const log = openSync(path.join(dir, `${path.basename(program)}.log`), 'w');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH },
  });
  closeSync(log);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), endsWithin);
  await ended;
  clearTimeout(timer);
}

/** @throws Error with the end of the log where the server does not get ready. */
async function whenReady(
  url: string,
  token: string,
  certificate: string,
  children: readonly ChildProcess[],
): Promise<AdminRequest> {
  const deadline = Date.now() + readyWithin;
  for (;;) {
    try {
      const request = adminRequest(url, token, readFileSync(certificate, 'utf8'));
      const answers = await Promise.all(
        ['/readyz', '/api/v1/namespaces/default', '/api/v1/namespaces/kube-system'].map((at) =>
          request('GET', at),
        ),
      );
      if (answers.every(({ status }) => status === 200)) return request;
    } catch {
      // Not listening yet, or its certificate is not written yet.
    }
    const dead = children.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (dead || Date.now() > deadline) {
      const log = path.join(path.dirname(certificate), 'kube-apiserver.log');
      throw new Error(`kube-apiserver does not get ready: ${readFileSync(log, 'utf8').slice(-2000)}`);
    }
    await sleep(100);
  }
}

/** A service account with these rights. @returns its token */
async function newAccount(request: AdminRequest, name: string, rules: readonly Rule[]): Promise<string> {
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const post = async (at: string, body: unknown): Promise<unknown> => {
    const answer = await request('POST', at, body);
    if (answer.status > 299) throw new Error(`${at}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  await post(accounts, { metadata: { name } });
  const subjects = [{ kind: 'ServiceAccount', name, namespace: 'default' }];
  for (const [index, { namespace, ...rule }] of rules.entries()) {
    const metadata = { name: `${name}-${index}` };
    const kind = namespace === undefined ? 'ClusterRole' : 'Role';
    const within = namespace === undefined ? rbac : `${rbac}/namespaces/${namespace}`;
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name };
    await post(`${within}/${kind.toLowerCase()}s`, { metadata, rules: [rule] });
    await post(`${within}/${kind.toLowerCase()}bindings`, { metadata, roleRef, subjects });
  }
  const answer = await post(`${accounts}/${name}/token`, { spec: { expirationSeconds: 86_400 } });
  return (answer as { status: { token: string } }).status.token;
}

/** Forgets old revisions, through etcd's JSON gateway: `continue` tokens refer to one. */
async function compact(etcdUrl: string): Promise<void> {
  const post = async (at: string, body: unknown): Promise<unknown> => {
    const answer = await fetch(`${etcdUrl}${at}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  // A write first: the token's revision may be the newest, and that one is never forgotten.
  const key = Buffer.from('/sandbox/compaction').toString('base64');
  const put = (await post('/v3/kv/put', { key, value: '' })) as { header: { revision: string } };
  await post('/v3/kv/compaction', { revision: put.header.revision, physical: true });
}

/** Three ports that are free now. */
async function freePorts(): Promise<[number, number, number]> {
  const servers = [createServer(), createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            resolve((server.address() as AddressInfo).port);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as [number, number, number];
}
