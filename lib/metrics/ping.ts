import { decodedUrlPart } from '../log/redactor.js';

/** How long the other side may take to answer: nothing waits for it that matters. */
const patienceMs = 10_000;

export type Moment = 'start' | 'ok' | 'fail';

/**
 * Tells a dead man's switch how a command goes, by requests as healthchecks.io has them: `URL/start`, `URL`, `URL/fail`.
 * @throws Error without the URL in its message: whoever knows it can say that all is well
 */
export async function ping(url: string, moment: Moment, shard: number | null): Promise<void> {
  const target = new URL(url.replaceAll('{shard}', String(shard ?? 0)));
  if (moment !== 'ok') target.pathname = `${target.pathname.replace(/\/+$/, '')}/${moment}`;
  const { username, password } = target;
  target.username = target.password = '';
  const credentials = `${decodedUrlPart(username)}:${decodedUrlPart(password)}`;
  const headers: Record<string, string> =
    username === '' ? {} : { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
  let status: number;
  try {
    ({ status } = await fetch(target, { headers, signal: AbortSignal.timeout(patienceMs) }));
  } catch (thrown) {
    const { cause, name } = thrown as { cause?: { code?: string }; name?: string };
    throw new Error(cause?.code ?? name ?? 'no answer', { cause: thrown });
  }
  if (status >= 300) throw new Error(`the answer is ${status}`);
}

/**
 * What an exit code says of the backups: 5, something was left behind, is no failure of theirs; 4, another run is in
 * progress, says nothing, since that one will tell.
 */
export function momentOf(exitCode: number): Exclude<Moment, 'start'> | null {
  if (exitCode === 4) return null;
  return exitCode === 0 || exitCode === 5 ? 'ok' : 'fail';
}
