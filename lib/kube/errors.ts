import { CephbackupError } from '../errors/error.js';
import { printable } from '../log/logger.js';

/** Long enough for "X is forbidden: User … cannot list …", too short for a whole object. */
const messageLimit = 400;

/** The API answered, and not with 2xx. `message` has the server's own words, cut short, and nothing else of the answer. */
export class KubeStatusError extends CephbackupError {
  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** Kubernetes' reason, e.g. `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`; empty where the answer has none. */
    readonly reason: string,
    message: string,
  ) {
    const retryable = status === 429 || status >= 500;
    super(status === 401 || status === 403 ? 'KUBE_FORBIDDEN' : 'KUBE_FAILED', message, { retryable });
    this.name = 'KubeStatusError';
  }
}

export function hasStatus(thrown: unknown, ...statuses: number[]): thrown is KubeStatusError {
  return thrown instanceof KubeStatusError && statuses.includes(thrown.status);
}

/** The error for an answer with this body, which is a `Status` object where it comes from Kubernetes itself. */
export function statusError(what: string, status: number, body: string): KubeStatusError {
  const { reason = '', message } = parseStatus(body);
  const said = message === undefined ? '' : `: ${printable(message).slice(0, messageLimit)}`;
  const text =
    status === 401
      ? `the Kubernetes API does not accept the credentials (${what})`
      : status === 403
        ? `not allowed to ${what}${said}`
        : `could not ${what}: the Kubernetes API answered ${status}${said}`;
  return new KubeStatusError(status, reason, text);
}

function parseStatus(body: string): { reason?: string; message?: string } {
  try {
    const parsed = JSON.parse(body) as { kind?: unknown; reason?: unknown; message?: unknown } | null;
    if (parsed?.kind !== 'Status') return {};
    return {
      ...(typeof parsed.reason === 'string' ? { reason: parsed.reason } : {}),
      ...(typeof parsed.message === 'string' ? { message: parsed.message } : {}),
    };
  } catch {
    return {};
  }
}

const verbs: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** A request in words: `list persistentvolumes`, `get leases cephbackup in namespace backup`. */
export function describeRequest(method: string, path: string): string {
  const parts = path
    .split('/')
    .slice(path.startsWith('/apis/') ? 4 : 3)
    .map(decodeURIComponent);
  const within = parts[0] === 'namespaces' && parts.length > 2;
  const [plural = '', name] = within ? parts.slice(2) : parts;
  const verb = method === 'GET' ? (name === undefined ? 'list' : 'get') : (verbs[method] ?? method);
  const where = within ? ` in namespace ${parts[1] ?? ''}` : '';
  return printable(`${verb} ${plural}${name === undefined ? '' : ` ${name}`}${where}`);
}
