import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { CephbackupError } from '../errors/error.js';
import { childEnvironment } from '../tools/process/environment.js';
import type { Connection } from './connection.js';
import type { ClusterFields, ExecFields, UserFields } from './kubeconfig.js';

/** What a request needs besides its own contents. */
export interface Credentials {
  agent: http.Agent;
  headers: Record<string, string>;
  /** `user:password` for basic authentication. */
  auth?: string;
}

/** Tokens in files are replaced about once an hour, well before they expire. */
const freshForMs = 60_000;
/** How long a credential plugin may take. */
const pluginDeadlineSeconds = 60;
/** At once; more requests than that wait for a connection. */
const connections = 8;

/** The credentials of a connection, read anew from their files once a minute, and whenever they are refused. */
export class CredentialSource {
  #current: { credentials: Promise<Credentials>; since: number } | null = null;
  #agent: { agent: http.Agent; tls: string } | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** @throws CephbackupError KUBECONFIG_INVALID, KUBE_FORBIDDEN (a credential plugin failed) */
  async get(): Promise<Credentials> {
    const now = performance.now();
    if (this.#current === null || now - this.#current.since > freshForMs) {
      this.#current = { credentials: this.#read(), since: now };
    }
    try {
      return await this.#current.credentials;
    } catch (thrown) {
      this.#current = null;
      throw thrown;
    }
  }

  /** The server does not accept them: they are read again before the next request. */
  refused(): void {
    this.#current = null;
  }

  async #read(): Promise<Credentials> {
    if (needsLibrary(this.connection)) return libraryCredentials(this.connection, this.env);
    const options = await tlsOptions(this.connection);
    const tls = JSON.stringify(options);
    // Connections stay open for as long as nothing that they were made with changes.
    if (this.#agent?.tls !== tls) this.#agent = { agent: newAgent(this.connection, options), tls };
    return { agent: this.#agent.agent, ...(await identity(this.connection.user)) };
  }
}

/** Credential plugins, identity providers and proxies are left to the Kubernetes library. */
function needsLibrary({ cluster, user }: Connection): boolean {
  return user.exec != null || user['auth-provider'] != null || cluster['proxy-url'] !== undefined;
}

interface TlsOptions {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
  rejectUnauthorized?: false;
}

async function tlsOptions({ cluster, user }: Connection): Promise<TlsOptions> {
  const ca = await pem(cluster, 'certificate-authority');
  const cert = await pem(user, 'client-certificate');
  const key = await pem(user, 'client-key');
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(cluster['tls-server-name'] === undefined ? {} : { servername: cluster['tls-server-name'] }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
  };
}

/** The field `<key>-data` (base64), else the contents of the file that `<key>` names. */
async function pem<K extends string>(
  fields: Partial<Record<K | `${K}-data`, string>>,
  key: K,
): Promise<string | undefined> {
  const data = fields[`${key}-data`];
  if (data) return Buffer.from(data, 'base64').toString();
  const file = fields[key];
  return file ? readSecret(file, key) : undefined;
}

function newAgent({ server }: Connection, options: TlsOptions): http.Agent {
  const pool = { keepAlive: true, maxSockets: connections };
  return server.startsWith('http:') ? new http.Agent(pool) : new https.Agent({ ...pool, ...options });
}

async function identity(user: UserFields): Promise<Omit<Credentials, 'agent'>> {
  const token = user.tokenFile ? await readSecret(user.tokenFile, 'tokenFile') : user.token;
  const headers: Record<string, string> = {
    ...(token ? { Authorization: `Bearer ${token.trim()}` } : {}),
    ...(user.as ? { 'Impersonate-User': user.as } : {}),
  };
  return user.username ? { headers, auth: `${user.username}:${user.password ?? ''}` } : { headers };
}

async function readSecret(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    const { code = 'unreadable' } = thrown as NodeJS.ErrnoException;
    throw new CephbackupError('KUBECONFIG_INVALID', `the ${what} ${file} cannot be read: ${code}`);
  }
}

/** Imported only here: the library's generated models cost 0.7 s and 80 MB. */
async function libraryCredentials(connection: Connection, env: NodeJS.ProcessEnv): Promise<Credentials> {
  const { cluster, user } = connection;
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromString(JSON.stringify(asKubeconfig(cluster, user, env)));
  const options: https.RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message.slice(0, 400) : 'unknown';
    throw new CephbackupError('KUBE_FORBIDDEN', `the kubeconfig's credentials cannot be had: ${reason}`, {
      guidance: 'Run `kubectl get namespaces` with the same kubeconfig; log in again if it asks you to.',
    });
  }
  const headers = Object.entries(options.headers ?? {}).map(
    ([name, value]) => [name, String(value)] as const,
  );
  return {
    agent: options.agent as http.Agent,
    headers: Object.fromEntries(headers),
    ...(typeof options.auth === 'string' ? { auth: options.auth } : {}),
  };
}

function asKubeconfig(cluster: ClusterFields, user: UserFields, env: NodeJS.ProcessEnv): unknown {
  // The library refuses plain HTTP unless it is told not to look at certificates, of which there are none.
  const plain = cluster.server?.startsWith('http:') === true ? { 'insecure-skip-tls-verify': true } : {};
  const exec = user.exec == null ? {} : { exec: contained(user.exec, env) };
  return {
    clusters: [{ name: 'this', cluster: { ...cluster, ...plain } }],
    users: [{ name: 'this', user: { ...user, ...exec } }],
    contexts: [{ name: 'this', context: { cluster: 'this', user: 'this' } }],
    'current-context': 'this',
  };
}

/** A credential plugin gets no more of the environment than any other child, has a deadline, and dies with this program. */
function contained(exec: ExecFields, env: NodeJS.ProcessEnv): ExecFields {
  const { command = '', args } = exec;
  const wanted = new Set([
    ...Object.keys(childEnvironment(env)),
    ...(exec.env ?? []).map(({ name }) => name),
  ]);
  const unset = Object.keys(env).filter((name) => !wanted.has(name));
  const wrapper = ['--pdeathsig', 'KILL', '--', 'env', ...unset.map((name) => `--unset=${name}`)];
  const deadline = ['timeout', '--kill-after=5', String(pluginDeadlineSeconds)];
  return { ...exec, command: 'setpriv', args: [...wrapper, ...deadline, command, ...(args ?? [])] };
}
