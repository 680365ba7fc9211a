/** A request as the server sees it, before it is carried out. */
export interface SeenRequest {
  /** The account that sent it. */
  user: string;
  method: string;
  path: string;
  query: Readonly<Record<string, string>>;
  verb: string;
  /** Plural name, with the subresource if there is one. */
  resource: string;
  namespace: string | undefined;
  name: string | undefined;
  body: unknown;
}

/**
 * - `timeout`: not carried out, never answered
 * - `timeout-after-commit`: carried out, never answered
 * - `reset`: not carried out, the connection is reset
 * - `reset-after-commit`: carried out, the connection is reset before the answer
 * - `truncated`: carried out, half of the answer comes, then the connection is reset
 * - `garbage`: carried out, the answer is no JSON
 * - `reset-when-open`: for a connection that stays open: it is opened, nothing is carried out, it is reset
 * - `closed`: carried out, the connection ends in good order without an answer
 * - a number: not carried out, answered with this status
 */
export type FaultMode =
  | 'timeout'
  | 'timeout-after-commit'
  | 'reset'
  | 'reset-after-commit'
  | 'truncated'
  | 'garbage'
  | 'reset-when-open'
  | 'closed'
  | 401
  | 403
  | 409
  | 410
  | 429
  | 500
  | 503;

export interface Fault {
  mode: FaultMode;
  /** Default: every request. */
  matches?: (request: SeenRequest) => boolean;
  /** How often; default: always. */
  times?: number;
  /** Seconds, for 429 and 503. */
  retryAfter?: number;
}

/** Makes requests fail on purpose, and tells which ones came. */
export class Faults {
  /** Every request with valid credentials, in the order of arrival. */
  readonly requests: SeenRequest[] = [];
  /** Milliseconds by which the server's clock, as its answers tell it, is ahead. */
  clockSkew = 0;
  #faults: { fault: Fault; left: number }[] = [];
  #listeners: ((request: SeenRequest) => void | Promise<void>)[] = [];

  /** The first fault injected that matches a request is the one that happens. */
  inject(fault: Fault): void {
    this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  /** `listener` runs, and is waited for, before each request is carried out: to change the world in that moment. */
  onRequest(listener: (request: SeenRequest) => void | Promise<void>): void {
    this.#listeners.push(listener);
  }

  /** Forgets faults, listeners and requests. */
  clear(): void {
    this.#faults = [];
    this.#listeners = [];
    this.requests.length = 0;
    this.clockSkew = 0;
  }

  /** For the server: what is to happen with this request. */
  async next(request: SeenRequest): Promise<Fault | undefined> {
    this.requests.push(request);
    for (const listener of this.#listeners) await listener(request);
    const hit = this.#faults.find(({ fault, left }) => left > 0 && (fault.matches?.(request) ?? true));
    if (hit === undefined) return undefined;
    hit.left -= 1;
    return hit.fault;
  }
}

const reasons: Record<number, string> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
};

export function reasonOf(status: number): string {
  return reasons[status] ?? 'Unknown';
}
