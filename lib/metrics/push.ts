/** Milliseconds for the gateway to answer: nothing waits for it that matters. */
const patience = 10_000;

export interface PushRequest {
  /** Of the gateway, with credentials if it needs any; or with a group of its own: `…/metrics/job/NAME…`. */
  url: string;
  /** Labels that tell this group of metrics from others. */
  grouping: Record<string, string>;
  text: string;
  /** Whether metrics of the group that are not in `text` go. */
  replace: boolean;
}

/**
 * Pushes metrics to a Pushgateway (its README, "API").
 * @throws Error without credentials in its message
 */
export async function pushMetrics({ url, grouping, text, replace }: PushRequest): Promise<void> {
  const target = new URL(url);
  const { username, password } = target;
  target.username = '';
  target.password = '';
  const base = target.pathname.replace(/\/+$/, '');
  const job = base.includes('/metrics/job') ? base : `${base}/metrics/job/cephbackup`;
  const labels = Object.entries(grouping).map(([name, value]) => `/${name}/${encodeURIComponent(value)}`);
  target.pathname = job + labels.join('');
  const headers: Record<string, string> = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' };
  if (username !== '' || password !== '') {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers.Authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  const answer = await fetch(target, {
    method: replace ? 'PUT' : 'POST',
    headers,
    body: text,
    signal: AbortSignal.timeout(patience),
  });
  const said = await answer.text();
  if (!answer.ok) throw new Error(`the gateway answers ${answer.status}: ${said.slice(0, 200).trim()}`);
}
