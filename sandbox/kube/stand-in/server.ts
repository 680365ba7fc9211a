import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeObject } from '../../../lib/kube/types.js';
import { accessReview, verbOf, type Access, type Account } from './access.js';
import { serveExec } from './exec.js';
import { reasonOf, type Fault, type Faults, type SeenRequest } from './faults.js';
import { applyPatch, isObject } from './patch.js';
import { accessReviews, route, type Route } from './route.js';
import { selector } from './selectors.js';
import { badRequest, StatusError } from './status.js';
import type { Store } from './store.js';

export interface ServerParts {
  store: Store;
  access: Access;
  faults: Faults;
}

export interface RunningServer {
  url: string;
  stop: () => Promise<void>;
}

interface Outcome {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** What everybody may read. */
const openPaths: Record<string, unknown> = { '/readyz': 'ok', '/version': { gitVersion: 'v0.0.0-stand-in' } };

/** Listens on 127.0.0.1, on a free port unless one is given. */
export async function startServer(parts: ServerParts, port = 0): Promise<RunningServer> {
  const server = http.createServer((request, response) => {
    handle(parts, request, response).catch((thrown: unknown) => {
      response.writeHead(500).end(String(thrown));
    });
  });
  const endCommands = serveExec(server, parts);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
        endCommands();
      }),
  };
}

async function handle(
  parts: ServerParts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const url = new URL(request.url ?? '/', 'http://stand-in');
  const open = openPaths[url.pathname];
  if (open !== undefined) {
    send(response, { status: 200, body: open });
    return;
  }
  let fault: Fault | undefined;
  const outcome = await settle(async () => {
    const account = parts.access.authenticate(request.headers.authorization);
    const seen = { ...see(request.method ?? '', url, body), user: account.user };
    if (account.observed) fault = await parts.faults.next(seen);
    if (fault !== undefined) refuse(fault);
    return carryOut(parts, account, seen, url, request.headers['content-type'] ?? '');
  });
  const { clockSkew } = parts.faults;
  if (clockSkew !== 0) response.setHeader('Date', new Date(Date.now() + clockSkew).toUTCString());
  deliver(response, outcome, fault);
}

/** What was asked, in the API's own terms. @throws StatusError 404, 405 */
function see(method: string, url: URL, body: unknown): Omit<SeenRequest, 'user'> {
  const { type, namespace, name, subresource } = route(url.pathname);
  const verb = verbOf(method, name !== undefined);
  if (verb === undefined)
    throw new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method');
  const resource = subresource === undefined ? type.plural : `${type.plural}/${subresource}`;
  const query = Object.fromEntries(url.searchParams);
  return { method, path: url.pathname, query, verb, resource, namespace, name, body };
}

function carryOut(
  { store, access }: ServerParts,
  account: Account,
  seen: SeenRequest,
  url: URL,
  contentType: string,
): Outcome {
  const target = route(url.pathname);
  const { type, namespace, name } = target;
  if (type === accessReviews) return { status: 201, body: accessReview(access, account, seen.body) };
  access.authorize(account, { ...seen, group: type.group });
  if (name === undefined) {
    if (seen.verb === 'list') return { status: 200, body: store.list(type, listQuery(namespace, url)) };
    if (namespace !== undefined) store.requireNamespace(namespace);
    return { status: 201, body: store.create(type, namespace, asObject(seen.body)) };
  }
  const current = store.get(type, namespace, name);
  if (seen.verb === 'get') return { status: 200, body: current };
  if (seen.verb === 'delete') return { status: 200, body: remove(store, target, name) };
  const given =
    seen.verb === 'patch' ? applyPatch(contentType.split(';')[0] ?? '', current, seen.body) : seen.body;
  const part = target.subresource ?? 'object';
  return { status: 200, body: store.replace(type, current, asObject(given), part) };
}

/** Without controllers a namespace would be `Terminating` for ever; here it takes its contents along at once. */
function remove(store: Store, { type, namespace }: Route, name: string): unknown {
  const removed = store.remove(type, namespace, name);
  if (type.kind === 'Namespace') store.clear(name);
  return removed;
}

function listQuery(namespace: string | undefined, { searchParams }: URL) {
  return {
    namespace,
    limit: Number(searchParams.get('limit') ?? 0),
    continueToken: searchParams.get('continue'),
    matches: selector(searchParams.get('fieldSelector'), searchParams.get('labelSelector')),
  };
}

function asObject(body: unknown): KubeObject {
  if (!isObject(body)) throw badRequest('the body of the request is no object');
  return body;
}

async function readBody(request: http.IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}

async function settle(work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof StatusError)) throw thrown;
    return { status: thrown.code, body: thrown.body(), headers: thrown.headers };
  }
}

/** Faults that keep a request from being carried out. */
function refuse({ mode, retryAfter }: Fault): void {
  if (mode === 'timeout' || mode === 'reset') throw new StatusError(0, '', '');
  if (typeof mode !== 'number') return;
  const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  throw new StatusError(mode, reasonOf(mode), `injected: ${mode}`, {}, headers);
}

function deliver(response: http.ServerResponse, outcome: Outcome, fault: Fault | undefined): void {
  switch (fault?.mode) {
    case 'timeout':
    case 'timeout-after-commit':
      return;
    case 'reset':
    case 'reset-after-commit':
      response.socket?.resetAndDestroy();
      return;
    case 'truncated': {
      const text = JSON.stringify(outcome.body);
      response.writeHead(outcome.status, {
        'Content-Type': 'application/json',
        'Content-Length': text.length,
      });
      response.write(text.slice(0, text.length / 2), () => response.socket?.destroy());
      return;
    }
    case 'garbage':
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>proxy</html>');
      return;
    default:
      send(response, outcome);
  }
}

function send(response: http.ServerResponse, { status, body, headers = {} }: Outcome): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : `${JSON.stringify(body)}\n`);
}
