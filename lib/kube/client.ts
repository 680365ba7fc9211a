import type { EpochMs } from '../log/time.js';
import { CephbackupError } from '../errors/error.js';
import { printable, type Logger } from '../log/logger.js';
import { redactUrls } from '../log/redactor.js';
import type { ClockReading, KubeApi, ListOptions, PatchType, RequestOptions, WriteOptions } from './api.js';
import { CredentialSource } from './credentials.js';
import { describeRequest, statusError } from './errors.js';
import { exchange, NetworkError, type RawAnswer } from './exchange.js';
import { findConnection, type Connection } from './connection.js';
import { collectPages, type ListPage } from './pages.js';
import { persist } from '../waiting/persist.js';
import { parseRetryAfter, retryDelay, type Failure } from './retry.js';
import type { KubeObject } from './types.js';

export interface ConnectOptions {
  /** --kubeconfig; null: the pod's service account, else the default kubeconfig. */
  kubeconfig: string | null;
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Ends every request that brings no signal of its own. */
  signal: AbortSignal;
  /** A request is not tried again after so long; default 60 s. */
  patienceMs?: number;
  /** Wall clock. */
  now?: () => EpochMs;
}

const defaultPatienceMs = 60_000;
/** A server that never answered is more likely a wrong address than one that restarts: that is told sooner. */
const firstContactMs = 10_000;
const defaultTimeoutMs = 20_000;
/** An attempt is not cut shorter than this because patience ends. */
const shortestTimeoutMs = 1_000;

/**
 * Finds configuration and credentials. It makes no request yet.
 *
 * @throws CephbackupError KUBECONFIG_INVALID, KUBE_FORBIDDEN (a credential plugin failed)
 */
export async function connectKube(options: ConnectOptions): Promise<KubeApi> {
  const connection = await findConnection(options.kubeconfig, options.env);
  const credentials = new CredentialSource(connection);
  await credentials.get();
  return new Client(connection, credentials, options);
}

interface Request extends RequestOptions {
  method: string;
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  contentType?: string;
  repeatable: boolean;
}

class Client implements KubeApi {
  readonly server: string;
  readonly contextNamespace: string;
  readonly inPod: boolean;
  #clock: ClockReading | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly credentials: CredentialSource,
    private readonly options: ConnectOptions,
  ) {
    this.server = printable(redactUrls(connection.server));
    this.contextNamespace = connection.namespace;
    this.inPod = connection.inPod;
  }

  get<T extends KubeObject>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.#request({ ...options, method: 'GET', path, repeatable: true }) as Promise<T>;
  }

  list<T extends KubeObject>(path: string, { query, ...options }: ListOptions = {}): Promise<T[]> {
    const what = describeRequest('GET', path);
    const pages = collectPages(async (page) => {
      const request = { ...options, method: 'GET', path, query: { ...query, ...page }, repeatable: true };
      const answer = (await this.#request(request)) as Partial<ListPage>;
      if (!Array.isArray(answer.items)) throw senseless(what, 'it is no list');
      return answer as ListPage;
    });
    return pages as Promise<T[]>;
  }

  create<T extends KubeObject>(path: string, body: KubeObject, options: WriteOptions = {}): Promise<T> {
    return this.#request({ repeatable: false, ...options, method: 'POST', path, body }) as Promise<T>;
  }

  replace<T extends KubeObject>(path: string, body: KubeObject, options: WriteOptions = {}): Promise<T> {
    return this.#request({ repeatable: false, ...options, method: 'PUT', path, body }) as Promise<T>;
  }

  patch<T extends KubeObject>(
    path: string,
    body: unknown,
    contentType: PatchType,
    options: WriteOptions = {},
  ): Promise<T> {
    const request = { repeatable: false, ...options, method: 'PATCH', path, body, contentType };
    return this.#request(request) as Promise<T>;
  }

  clock(): ClockReading | null {
    return this.#clock;
  }

  /** Repeats the request until it succeeds, must not be repeated, or patience ends. */
  async #request(request: Request): Promise<object> {
    const signal = request.signal ?? this.options.signal;
    const what = describeRequest(request.method, request.path);
    const patienceMs = request.patienceMs ?? this.options.patienceMs ?? defaultPatienceMs;
    let renewed = false;
    let leftMs = Number.POSITIVE_INFINITY;
    const result = await persist<AttemptResult>(
      () => this.#attempt(request, signal, leftMs),
      ({ end, count, elapsedMs }) => {
        if (!end.ok || end.value.error === null) return null;
        leftMs = patienceMs - elapsedMs;
        const { answer, failure, error } = end.value;
        if (answer?.status === 401 && !renewed) {
          // A token may have expired since it was read.
          renewed = true;
          this.credentials.refused();
          return 0;
        }
        const unknown = failure.kind === 'network' && this.#clock === null;
        const delay = retryDelay({
          failure,
          repeatable: request.repeatable,
          count,
          elapsedMs,
          patienceMs: unknown ? Math.min(patienceMs, firstContactMs) : patienceMs,
          jitter: Math.random(),
        });
        if (delay === null) return null;
        this.options.log.warn(`${error.message}; trying again`, { milliseconds: delay });
        leftMs -= delay;
        return delay;
      },
      signal,
    );
    if (result.error !== null) throw result.error;
    return parse(what, result.answer.body);
  }

  async #attempt(request: Request, signal: AbortSignal, left: number): Promise<AttemptResult> {
    const { method, path, query = {}, body, contentType = 'application/json' } = request;
    const what = describeRequest(method, path);
    const { agent, headers, auth } = await this.credentials.get();
    const timeoutMs = Math.min(request.timeoutMs ?? defaultTimeoutMs, Math.max(shortestTimeoutMs, left));
    const started = performance.now();
    try {
      const answer = await exchange({
        url: withQuery(this.connection.server, path, query),
        method,
        headers: {
          ...headers,
          Accept: 'application/json',
          'User-Agent': 'cephbackup',
          ...(body === undefined ? {} : { 'Content-Type': contentType }),
        },
        agent,
        ...(auth === undefined ? {} : { auth }),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        timeoutMs,
        signal,
      });
      const milliseconds = Math.round(performance.now() - started);
      this.options.log.debug(what, { status: answer.status, milliseconds });
      this.#readClock(answer);
      if (answer.status >= 200 && answer.status < 300) return { error: null, answer };
      const retryAfter = parseRetryAfter(answer.headers['retry-after'], answer.headers.date);
      const failure = { kind: 'status', status: answer.status, retryAfter } as const;
      return { error: statusError(what, answer.status, answer.body), answer, failure };
    } catch (thrown) {
      if (!(thrown instanceof NetworkError)) throw thrown;
      const message = `could not ${what}: ${this.server}: ${printable(thrown.message.trim())}`;
      const error = new CephbackupError('KUBE_UNREACHABLE', message, { retryable: true });
      return { error, answer: null, failure: { kind: 'network', code: thrown.code } };
    }
  }

  #readClock({ headers }: RawAnswer): void {
    const server = Date.parse(headers.date ?? '');
    const local = (this.options.now ?? Date.now)();
    if (!Number.isNaN(server)) this.#clock = { server, local };
  }
}

type AttemptResult =
  { error: null; answer: RawAnswer } | { error: CephbackupError; answer: RawAnswer | null; failure: Failure };

function withQuery(server: string, path: string, query: Record<string, string>): URL {
  // A server behind a proxy may have a path of its own.
  const url = new URL(server.replace(/\/+$/, '') + path);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

function parse(what: string, body: string): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw senseless(what, 'it is no JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw senseless(what, 'it is no object');
  return parsed;
}

function senseless(what: string, why: string): CephbackupError {
  return new CephbackupError('KUBE_FAILED', `could not ${what}: the answer makes no sense: ${why}`);
}
