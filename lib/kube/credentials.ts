import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { CephbackupError } from '../errors/error.js';
import { within } from '../waiting/within.js';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Connection } from './connection.js';
import type { ClusterFields, UserFields } from './kubeconfig.js';
import { contained } from './plugin.js';

/** What a request needs besides its own contents. */
export interface Credentials {
  agent: http.Agent;
  headers: Record<string, string | string[]>;
  /** `user:password` for basic authentication. */
  auth?: string;
}

/** Tokens in files are replaced about once an hour, well before they expire. */
const freshForMs = 60_000;
/** How long those that were good a minute ago are waited for; new ones may take longer, and those may still be good. */
const renewalPatienceMs = 5_000;
/** At once; more requests than that wait for a connection. */
const connections = 8;

/** The credentials of a connection, read anew from their files once a minute, and whenever they are refused. */
export class CredentialSource {
  #current: { credentials: Promise<Credentials>; since: number } | null = null;
  /** The last ones that were had. */
  #good: Credentials | null = null;
  #agent: { agent: http.Agent; tls: string } | null = null;
  /** It keeps what plugins and identity providers gave, until that expires. */
  #library: KubeConfig | null = null;

  constructor(private readonly connection: Connection) {}

  /** @throws CephbackupError KUBECONFIG_INVALID, KUBE_FORBIDDEN (a credential plugin failed) */
  async get(): Promise<Credentials> {
    const now = performance.now();
    const last = this.#current;
    const isFresh = last !== null && now - last.since <= freshForMs;
    const current = isFresh ? last : { credentials: this.#read(), since: now };
    this.#current = current;
    const good = this.#good;
    try {
      // An identity provider that hangs holds up no lease.
      this.#good = await (good === null
        ? current.credentials
        : within(current.credentials, renewalPatienceMs, () => good));
      return this.#good;
    } catch (thrown) {
      if (this.#current === current) this.#current = null;
      throw thrown;
    }
  }

  /** The server does not accept them: they are read again before the next request. */
  refused(): void {
    this.#current = null;
    this.#good = null;
    this.#library = null;
  }

  async #read(): Promise<Credentials> {
    if (needsLibrary(this.connection)) {
      this.#library ??= await libraryConfig(this.connection);
      return libraryCredentials(this.#library, this.connection.user);
    }
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
  const headers: Credentials['headers'] = {
    ...(token ? { Authorization: `Bearer ${token.trim()}` } : {}),
    ...impersonation(user),
  };
  return user.username ? { headers, auth: `${user.username}:${user.password ?? ''}` } : { headers };
}

/** Whom an administrator wants to be taken for. */
function impersonation(user: UserFields): Credentials['headers'] {
  const extra = Object.entries(user['as-user-extra'] ?? {}).map(
    ([key, values]) => [`Impersonate-Extra-${encodeURIComponent(key)}`, values] as const,
  );
  const { 'as-groups': groups, 'as-uid': uid } = user;
  return {
    ...(user.as ? { 'Impersonate-User': user.as } : {}),
    ...(uid ? { 'Impersonate-Uid': uid } : {}),
    ...(groups && groups.length > 0 ? { 'Impersonate-Group': groups } : {}),
    ...Object.fromEntries(extra),
  };
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
async function libraryConfig({ cluster, user }: Connection): Promise<KubeConfig> {
  const library = await import('@kubernetes/client-node');
  const config = new library.KubeConfig();
  config.loadFromString(JSON.stringify(asKubeconfig(cluster, user)));
  return config;
}

async function libraryCredentials(config: KubeConfig, user: UserFields): Promise<Credentials> {
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
    headers: { ...Object.fromEntries(headers), ...impersonation(user) },
    ...(typeof options.auth === 'string' ? { auth: options.auth } : {}),
  };
}

function asKubeconfig(cluster: ClusterFields, user: UserFields): unknown {
  // The library refuses plain HTTP unless it is told not to look at certificates, of which there are none.
  const plain = cluster.server?.startsWith('http:') === true ? { 'insecure-skip-tls-verify': true } : {};
  const exec = user.exec == null ? {} : { exec: contained(user.exec, cluster) };
  return {
    clusters: [{ name: 'this', cluster: { ...cluster, ...plain } }],
    users: [{ name: 'this', user: { ...user, ...exec } }],
    contexts: [{ name: 'this', context: { cluster: 'this', user: 'this' } }],
    'current-context': 'this',
  };
}
