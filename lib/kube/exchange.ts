import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';

/** One request to be made, exactly once. */
export interface Exchange {
  url: URL;
  method: string;
  headers: Record<string, string | string[]>;
  /** `user:password` for basic authentication. */
  auth?: string;
  agent: http.Agent;
  body?: string;
  /** By then the whole answer must be there. */
  timeoutMs: number;
  signal: AbortSignal;
}

export interface RawAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** No answer, or not a whole one. `code` as in retry.ts. */
export class NetworkError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Far beyond 500 objects of the largest size that etcd stores, far below what a string can hold. */
const bodyLimitBytes = 256 * 1024 * 1024;

/**
 * @throws NetworkError, or the reason of `signal` when that was aborted. It always settles: the timeout covers the
 * connection, the request and the whole answer.
 */
export function exchange(request: Exchange): Promise<RawAnswer> {
  const { url, method, headers, auth, agent, body, timeoutMs, signal } = request;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // Any number of requests may wait on one signal; Node would print a warning from the eleventh on.
    setMaxListeners(0, signal);
    const options = { method, headers, agent, ...(auth === undefined ? {} : { auth }) };
    const outgoing = (url.protocol === 'http:' ? http : https).request(url, options);
    const settle = (action: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      action();
    };
    const fail = (error: unknown) => {
      settle(() => {
        reject(signal.aborted ? (signal.reason as Error) : asNetworkError(error));
      });
      outgoing.destroy();
    };
    const onAbort = () => {
      fail(signal.reason);
    };
    const timer = setTimeout(() => {
      fail(new NetworkError('TIMEOUT', `no answer within ${Math.round(timeoutMs / 1000)} s`));
    }, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > bodyLimitBytes)
          fail(new NetworkError('TOO_LARGE', `an answer of more than ${bodyLimitBytes} bytes`));
      });
      // An answer that is cut off ends with an error, never with `end`.
      incoming.on('error', fail);
      incoming.on('end', () => {
        settle(() => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text });
        });
      });
    });
    outgoing.end(body);
  });
}

function asNetworkError(thrown: unknown): NetworkError {
  if (thrown instanceof NetworkError) return thrown;
  // A name with several addresses, all of which failed: Node joins the errors, and the first is as good as any.
  const first: unknown = thrown instanceof AggregateError ? (thrown.errors[0] ?? thrown) : thrown;
  const { code, message } = first as NodeJS.ErrnoException;
  return new NetworkError(code ?? 'UNKNOWN', message);
}
