import { Pushgateway, type Registry } from 'prom-client';
import { within } from '../waiting/within.js';

/** How long the gateway may take to answer: nothing waits for it that matters. */
const patienceMs = 10_000;
const defaultJob = 'cephbackup';

export interface PushRequest {
  /** Of the gateway, with credentials if it needs any; or with a group of its own: `…/metrics/job/NAME…`. */
  url: string;
  /** Labels that tell this group of metrics from others. */
  grouping: Record<string, string>;
  registry: Registry;
  /** Whether metrics of the group that are not in `registry` go. */
  replace: boolean;
}

/**
 * Pushes metrics to a Pushgateway (its README, "API").
 * @throws Error without credentials in its message
 */
export async function pushMetrics({ url, grouping, registry, replace }: PushRequest): Promise<void> {
  const late = new AbortController();
  const options = {
    headers: { 'Content-Type': registry.contentType },
    // prom-client appends a group to every URL, also to one that has a group.
    path: pathOf(url, grouping),
    signal: late.signal,
  };
  const gateway = new Pushgateway(url, options, registry);
  const group = { jobName: defaultJob };
  const pushed = replace ? gateway.push(group) : gateway.pushAdd(group);
  const answer = await within(pushed, patienceMs, () => null).catch((thrown: unknown) => {
    throw new Error(messageOf(thrown), { cause: thrown });
  });
  if (answer === null) {
    late.abort();
    throw new Error(`the gateway does not answer within ${patienceMs / 1000} s`);
  }
  const { statusCode = 0 } = answer.resp as { statusCode?: number };
  // A redirection is success to prom-client, which does not follow it.
  if (statusCode >= 300) throw new Error(`the gateway answers ${statusCode}`);
}

/** A gateway may answer with a whole page; and where a name has several addresses, only the code says why none answers. */
function messageOf(thrown: unknown): string {
  const { message, code } = thrown as NodeJS.ErrnoException;
  return message === '' ? (code ?? 'unknown error') : message.slice(0, 300).trim();
}

function pathOf(url: string, grouping: Record<string, string>): string {
  const base = new URL(url).pathname.replace(/\/+$/, '');
  const job = base.includes('/metrics/job') ? base : `${base}/metrics/job/${defaultJob}`;
  return (
    job +
    Object.entries(grouping)
      .map(([name, value]) => `/${name}/${encodeURIComponent(value)}`)
      .join('')
  );
}
