import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError } from '../errors/error.js';
import type { Connection } from './connection.js';

/** A cluster as a kubeconfig spells it (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). */
export interface ClusterFields {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
  'proxy-url'?: string;
}

/** A user as a kubeconfig spells it. */
export interface UserFields {
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  as?: string;
  'as-uid'?: string;
  'as-groups'?: string[] | null;
  'as-user-extra'?: Record<string, string[]> | null;
  exec?: ExecFields | null;
  'auth-provider'?: { name?: string } | null;
}

/** A program that prints credentials. */
export interface ExecFields {
  apiVersion?: string;
  provideClusterInfo?: boolean;
  command?: string;
  args?: string[] | null;
  env?: { name: string; value?: string | null }[] | null;
}

interface ContextFields {
  cluster?: string;
  user?: string;
  namespace?: string;
}

/** The parts of a kubeconfig that matter here, by name. */
export interface Kubeconfig {
  currentContext: string;
  contexts: Map<string, ContextFields>;
  clusters: Map<string, ClusterFields>;
  users: Map<string, UserFields>;
}

/** @throws CephbackupError KUBECONFIG_INVALID */
export async function readKubeconfig(file: string): Promise<Kubeconfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    const { code = 'it is no text' } = thrown as NodeJS.ErrnoException;
    throw invalidKubeconfig(`the kubeconfig ${file} cannot be read: ${code}`);
  }
  return parseKubeconfig(text, file);
}

/** @throws CephbackupError KUBECONFIG_INVALID */
export async function parseKubeconfig(text: string, file: string): Promise<Kubeconfig> {
  const raw = await parse(text, file);
  const folder = path.dirname(path.resolve(file));
  const clusters = byName<ClusterFields>(raw.clusters, 'cluster');
  const users = byName<UserFields>(raw.users, 'user');
  const contexts = byName<ContextFields>(raw.contexts, 'context');
  const check = (what: string, named: ReadonlyMap<string, object>) => {
    for (const [name, fields] of named) checkTypes(`the kubeconfig ${file}: ${what} ${name}`, fields);
  };
  check('cluster', clusters);
  check('user', users);
  check('context', contexts);
  for (const cluster of clusters.values()) anchor(folder, cluster, 'certificate-authority');
  for (const user of users.values()) {
    anchor(folder, user, 'tokenFile', 'client-certificate', 'client-key');
    // A bare name is looked up on PATH; anything with a slash is a path.
    if (user.exec?.command?.includes('/') === true) anchor(folder, user.exec, 'command');
  }
  const current = raw['current-context'];
  return { currentContext: typeof current === 'string' ? current : '', contexts, clusters, users };
}

async function parse(text: string, file: string): Promise<Record<string, unknown>> {
  const yaml = await import('js-yaml');
  let parsed: unknown;
  try {
    parsed = yaml.load(text);
  } catch {
    // The error quotes the lines around it, and these may be a token.
    throw invalidKubeconfig(`the kubeconfig ${file} cannot be read: it is not valid YAML`);
  }
  if (!isObject(parsed)) throw invalidKubeconfig(`the file ${file} is no kubeconfig`);
  return parsed;
}

/** What is read here, and is no text. */
const otherTypes: Record<string, { is: (value: unknown) => boolean; name: string }> = {
  'insecure-skip-tls-verify': { is: (value) => typeof value === 'boolean', name: 'neither true nor false' },
  'as-groups': { is: isTexts, name: 'no list of texts' },
  'as-user-extra': {
    is: (value) => isObject(value) && Object.values(value).every(isTexts),
    name: 'no map of lists of texts',
  },
  exec: { is: isObject, name: 'no map' },
  'auth-provider': { is: isObject, name: 'no map' },
  provideClusterInfo: { is: (value) => typeof value === 'boolean', name: 'neither true nor false' },
  args: { is: isTexts, name: 'no list of texts' },
  env: {
    is: (value) =>
      Array.isArray(value) && value.every((one) => isObject(one) && isTexts([one.name, one.value ?? ''])),
    name: 'no list of names and values',
  },
};
const textFields = new Set([
  ...['server', 'certificate-authority', 'certificate-authority-data', 'tls-server-name', 'proxy-url'],
  ...['token', 'tokenFile', 'username', 'password', 'as', 'as-uid', 'cluster', 'user', 'namespace'],
  ...['client-certificate', 'client-certificate-data', 'client-key', 'client-key-data'],
  ...['apiVersion', 'command'],
]);

/**
 * A token of digits is a number to YAML, unless it is quoted. The value is not told: it may be a secret.
 *
 * @throws CephbackupError KUBECONFIG_INVALID
 */
function checkTypes(where: string, fields: object): void {
  for (const [key, value] of Object.entries(fields) as [string, unknown][]) {
    if (value === null) Reflect.deleteProperty(fields, key);
    else if (textFields.has(key) && typeof value !== 'string')
      throw invalidKubeconfig(`${where} has a ${key} that is no text (quote it)`);
    else if (Object.hasOwn(otherTypes, key) && otherTypes[key]?.is(value) === false)
      throw invalidKubeconfig(`${where} has a ${key} that is ${otherTypes[key].name}`);
    else if (key === 'exec') checkTypes(`${where}, exec`, value as object);
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** A kubeconfig's lists have entries `{name, <key>: {…}}`; anything else in them is passed over. */
function byName<T extends object>(list: unknown, key: string): Map<string, T> {
  const entries = new Map<string, T>();
  for (const entry of Array.isArray(list) ? (list as unknown[]) : []) {
    if (!isObject(entry) || typeof entry.name !== 'string' || entries.has(entry.name)) continue;
    const value = entry[key];
    if (isObject(value)) entries.set(entry.name, value as T);
  }
  return entries;
}

/** Paths in a kubeconfig are relative to its folder. */
function anchor<K extends string>(folder: string, fields: Partial<Record<K, unknown>>, ...keys: K[]): void {
  for (const key of keys) {
    const value = fields[key];
    if (typeof value === 'string' && value !== '') fields[key] = path.resolve(folder, value);
  }
}

/**
 * What the current context of several files says; of a name that several define, the first counts.
 *
 * @throws CephbackupError KUBECONFIG_INVALID
 */
export function resolveContext(configs: readonly Kubeconfig[], source: string): Connection {
  const find = <T>(pick: (config: Kubeconfig) => T | undefined): T | undefined => {
    for (const config of configs) {
      const found = pick(config);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const current = configs.map(({ currentContext }) => currentContext).find((name) => name !== '');
  if (current === undefined) throw invalidKubeconfig(`the kubeconfig ${source} names no current-context`);
  const context = find(({ contexts }) => contexts.get(current));
  if (context === undefined) throw invalidKubeconfig(`the kubeconfig ${source} has no context ${current}`);
  const { cluster: clusterName = '', user: userName = '', namespace = '' } = context;
  const cluster = find(({ clusters }) => clusters.get(clusterName));
  if (!isHttpUrl(cluster?.server)) {
    throw invalidKubeconfig(
      `the kubeconfig ${source} has no cluster ${clusterName} with the URL of a server`,
    );
  }
  const user = find(({ users }) => users.get(userName));
  if (user === undefined && userName !== '') {
    throw invalidKubeconfig(`the kubeconfig ${source} has no user ${userName}`);
  }
  return {
    server: cluster?.server ?? '',
    cluster: cluster ?? {},
    user: user ?? {},
    namespace: namespace === '' ? 'default' : namespace,
    inPod: false,
  };
}

function isHttpUrl(url: unknown): boolean {
  return typeof url === 'string' && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function invalidKubeconfig(message: string): CephbackupError {
  return new CephbackupError('KUBECONFIG_INVALID', message);
}
