import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubeApi } from '../../lib/kube/api.js';
import { connectKube } from '../../lib/kube/client.js';
import { CredentialSource } from '../../lib/kube/credentials.js';
import type { ClusterFields, UserFields } from '../../lib/kube/kubeconfig.js';
import { namespacesPath } from '../../lib/kube/paths.js';
import { proxyFor } from '../../lib/kube/proxy.js';
import { silent } from '../../lib/log/logger.js';
import { kubeContext } from '../support/kube/context.js';

const context = kubeContext(false);
let dir = '';
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'cephbackup-credentials-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

/** The token in the stand-in's own kubeconfig. */
function validToken(): string {
  const config = JSON.parse(readFileSync(context.kube.kubeconfig, 'utf8')) as {
    users: { user: { token: string } }[];
  };
  return config.users[0]?.user.token ?? '';
}

let files = 0;
function connect(user: UserFields, cluster: ClusterFields = {}): Promise<KubeApi> {
  files += 1;
  const file = path.join(dir, `config-${files}`);
  const config = {
    clusters: [{ name: 'c', cluster: { server: context.kube.url, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(file, JSON.stringify(config));
  const signal = new AbortController().signal;
  return connectKube({ kubeconfig: file, env: process.env, log: silent, signal, patienceMs: 1_000 });
}

function script(name: string, text: string): string {
  const file = path.join(dir, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('tokens', () => {
  test('a token that is refused is read from its file again', async () => {
    const tokenFile = path.join(dir, 'token');
    writeFileSync(tokenFile, 'expired\n');
    const api = await connect({ tokenFile });
    await expect(api.list(namespacesPath)).rejects.toMatchObject({ status: 401, code: 'KUBE_FORBIDDEN' });
    writeFileSync(tokenFile, `${validToken()}\n`);
    await expect(api.list(namespacesPath)).resolves.not.toHaveLength(0);
    // Also while it is in use: the next request meets a 401 and goes on with the new one.
    writeFileSync(tokenFile, 'expired again');
    await expect(api.list(namespacesPath)).resolves.not.toHaveLength(0);
  });

  test('a token file that is missing is a mistake in the configuration', async () => {
    await expect(connect({ tokenFile: path.join(dir, 'none') })).rejects.toMatchObject({
      code: 'KUBECONFIG_INVALID',
      message: `the tokenFile ${dir}/none cannot be read: ENOENT`,
    });
  });
});

describe('a credential plugin', () => {
  const exec = (command: string, more: object = {}) => ({
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command, ...more },
  });

  test('gives a token, and gets the user’s environment', async () => {
    const token = JSON.stringify({ kind: 'ExecCredential', status: { token: validToken() } });
    const seen = path.join(dir, 'environment');
    const plugin = script('plugin', `env >'${seen}'; echo "$@" >>'${seen}'; echo '${token}'`);
    process.env.RESTIC_PASSWORD = 'restic-secret';
    process.env.AWS_PROFILE = 'production';
    try {
      const env = [{ name: 'PROFILE', value: 'backup' }, { name: 'EMPTY' }, { name: 'NOTHING', value: null }];
      const api = await connect(exec(plugin, { args: ['get', 'token'], env }));
      await expect(api.list(namespacesPath)).resolves.not.toHaveLength(0);
    } finally {
      delete process.env.RESTIC_PASSWORD;
      delete process.env.AWS_PROFILE;
    }
    const environment = readFileSync(seen, 'utf8');
    expect(environment).toMatch(/^PROFILE=backup$/m);
    expect(environment).toMatch(/^EMPTY=$/m);
    expect(environment).toMatch(/^NOTHING=$/m);
    expect(environment).toMatch(/^PATH=/m);
    expect(environment).toMatch(/^get token$/m);
    expect(environment).toMatch(/^AWS_PROFILE=production$/m);
    const [, info = ''] = /^KUBERNETES_EXEC_INFO=(.*)$/m.exec(environment) ?? [];
    expect(JSON.parse(info)).toEqual({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: { interactive: false },
    });
    // It is the user's own program, and may read the environment of this one anyway.
    expect(environment).toMatch(/^RESTIC_PASSWORD=restic-secret$/m);
  });

  test('is asked again once what it gave has expired, and no sooner, also where requests are refused', async () => {
    const seen = path.join(dir, 'calls');
    const until = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const credential = (seconds: number) =>
      JSON.stringify({
        kind: 'ExecCredential',
        status: { token: validToken(), expirationTimestamp: until(seconds) },
      });
    const count = () => readFileSync(seen, 'utf8').length;
    const source = (seconds: number) => {
      writeFileSync(seen, '');
      const plugin = script(`until-${seconds}`, `printf x >>'${seen}'; echo '${credential(seconds)}'`);
      const user = exec(plugin);
      const cluster = { server: context.kube.url };
      return new CredentialSource({
        server: context.kube.url,
        cluster,
        user,
        namespace: 'default',
        inPod: false,
      });
    };
    const clock = performance.now.bind(performance);
    let ahead = 0;
    performance.now = () => clock() + ahead;
    try {
      const lasting = source(3600);
      for (ahead = 0; ahead < 600_000; ahead += 61_000) await lasting.get();
      expect(count()).toBe(1);
      lasting.refused();
      await lasting.get();
      expect(count()).toBe(2);
      const expired = source(-1);
      for (ahead = 0; ahead < 180_000; ahead += 61_000) await expired.get();
      expect(count()).toBe(3);
    } finally {
      performance.now = clock;
    }
  });

  test('that fails is told in its own words', async () => {
    const plugin = script('failing', 'echo please log in >&2; exit 1');
    await expect(connect(exec(plugin))).rejects.toMatchObject({
      code: 'KUBE_FORBIDDEN',
      message: expect.stringContaining('please log in'),
    });
    await expect(connect(exec('no-such-plugin'))).rejects.toMatchObject({ code: 'KUBE_FORBIDDEN' });
  });
});

test.each<[string, string | null, Record<string, string>]>([
  ['https://api.example.com', 'http://proxy:3128', { HTTPS_PROXY: 'http://proxy:3128' }],
  ['https://api.example.com', 'http://proxy:3128', { https_proxy: 'proxy:3128', HTTP_PROXY: 'http://other' }],
  ['http://api.example.com', null, { HTTPS_PROXY: 'http://proxy:3128' }],
  ['https://api.example.com', null, { HTTPS_PROXY: 'http://proxy', NO_PROXY: 'a,example.com' }],
  ['https://api.example.com', null, { HTTPS_PROXY: 'http://proxy', no_proxy: '.example.com' }],
  ['https://example.com', 'http://proxy', { HTTPS_PROXY: 'http://proxy', no_proxy: '.example.com' }],
  [
    'https://api.example.com:6443',
    'http://proxy',
    { HTTPS_PROXY: 'http://proxy', NO_PROXY: 'example.com:443' },
  ],
  ['https://api.example.com:6443', null, { HTTPS_PROXY: 'http://proxy', NO_PROXY: 'example.com:6443' }],
  ['https://10.1.2.3:6443', null, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '10.0.0.0/8' }],
  ['https://10.1.2.3:6443', null, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '10.1.2.3' }],
  ['https://11.1.2.3:6443', 'http://proxy', { HTTPS_PROXY: 'http://proxy', NO_PROXY: '10.0.0.0/8,x' }],
  ['https://[fd00::1]:6443', null, { HTTPS_PROXY: 'http://proxy', NO_PROXY: 'fd00::/8' }],
  ['https://127.0.0.1:6443', null, { HTTPS_PROXY: 'http://proxy' }],
  ['https://localhost', null, { HTTPS_PROXY: 'http://proxy' }],
  ['https://api.example.com', null, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '*' }],
  ['https://api.example.com', null, {}],
])('the proxy of %s is %s with %j', (server, expected, env) => {
  expect(proxyFor(server, env)).toBe(expected);
});

test('whom an administrator wants to be taken for is told in full', async () => {
  const user = {
    token: 'x',
    as: 'ann',
    'as-uid': 'u1',
    'as-groups': ['a', 'b'],
    'as-user-extra': { scope: ['y'] },
  };
  const connection = { server: 'https://192.0.2.1', cluster: {}, user, namespace: 'default', inPod: false };
  const { headers } = await new CredentialSource(connection).get();
  expect(headers).toEqual({
    Authorization: 'Bearer x',
    'Impersonate-User': 'ann',
    'Impersonate-Uid': 'u1',
    'Impersonate-Group': ['a', 'b'],
    'Impersonate-Extra-scope': ['y'],
  });
});

test('a proxy is used where the kubeconfig names one', async () => {
  const seen: string[] = [];
  const proxy = http.createServer();
  proxy.on('connect', ({ url = '' }, client) => {
    seen.push(url);
    const { hostname, port } = new URL(`http://${url}`);
    const server = net.connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      server.pipe(client).pipe(server);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const api = await connect({ token: validToken() }, { 'proxy-url': url });
    await expect(api.list(namespacesPath)).resolves.not.toHaveLength(0);
    expect(seen).toEqual([new URL(context.kube.url).host]);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

const openssl = ['/usr/bin/openssl', '/bin/openssl'].find((file) => existsSync(file));

describe('TLS', () => {
  if (openssl === undefined) {
    test.todo('install openssl');
    return;
  }
  let server: https.Server;
  let url = '';
  const seen: string[] = [];
  const file = (name: string) => path.join(dir, name);
  const run = (...args: string[]) => execFileSync(openssl, args, { cwd: dir, stdio: 'pipe' });

  beforeAll(async () => {
    const days = ['-days', '2', '-nodes', '-newkey', 'rsa:2048'];
    run('req', '-x509', ...days, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=ca');
    for (const [name, san] of [
      ['server', 'IP:127.0.0.1,DNS:kube.example.org'],
      ['client', 'DNS:client'],
    ] as const) {
      writeFileSync(file(`${name}.ext`), `subjectAltName=${san}`);
      run('req', ...days.slice(2), '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      const sign = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`];
      run('x509', '-req', '-in', `${name}.csr`, ...sign, '-days', '2', '-out', `${name}.crt`);
    }
    const options = {
      key: readFileSync(file('server.key')),
      cert: readFileSync(file('server.crt')),
      ca: readFileSync(file('ca.crt')),
      requestCert: true,
      rejectUnauthorized: false,
    };
    server = https.createServer(options, (request, response) => {
      const { socket } = request;
      const known = socket instanceof TLSSocket && socket.authorized;
      seen.push(known ? String(socket.getPeerCertificate().subject.CN) : 'anonymous');
      response.end('{"kind":"NamespaceList","apiVersion":"v1","items":[]}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const data = (name: string) => readFileSync(file(name)).toString('base64');

  test('a client certificate identifies, from files and within the kubeconfig', async () => {
    const files = await connect(
      { 'client-certificate': file('client.crt'), 'client-key': file('client.key') },
      { server: url, 'certificate-authority': file('ca.crt') },
    );
    await expect(files.list(namespacesPath)).resolves.toEqual([]);
    const inline = await connect(
      { 'client-certificate-data': data('client.crt'), 'client-key-data': data('client.key') },
      { server: url, 'certificate-authority-data': data('ca.crt') },
    );
    await expect(inline.list(namespacesPath)).resolves.toEqual([]);
    expect(seen).toEqual(['client', 'client']);
  });

  test('a server whose certificate is of nobody known is not talked to', async () => {
    const api = await connect({ token: 'secret-token' }, { server: url });
    const started = performance.now();
    await expect(api.list(namespacesPath)).rejects.toMatchObject({
      code: 'KUBE_UNREACHABLE',
      message: expect.stringMatching(/^could not list namespaces: https:\/\/127.0.0.1:\d+: .*certificate/),
    });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('unless the kubeconfig says so; and a certificate may be of another name', async () => {
    const careless = await connect({}, { server: url, 'insecure-skip-tls-verify': true });
    await expect(careless.list(namespacesPath)).resolves.toEqual([]);
    const cluster = { server: url, 'certificate-authority': file('ca.crt') };
    const named = await connect({}, { ...cluster, 'tls-server-name': 'kube.example.org' });
    await expect(named.list(namespacesPath)).resolves.toEqual([]);
    const wrong = await connect({}, { ...cluster, 'tls-server-name': 'other.example.org' });
    await expect(wrong.list(namespacesPath)).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
  });
});

test('a server that is not there is told soon, in words', async () => {
  const api = await connect({}, { server: 'http://127.0.0.1:1' });
  await expect(api.list(namespacesPath, { patienceMs: 700 })).rejects.toMatchObject({
    code: 'KUBE_UNREACHABLE',
    message: 'could not list namespaces: http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
  });
});
