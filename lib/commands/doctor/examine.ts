import { setTimeout as sleep } from 'node:timers/promises';
import { asCephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import { failed, NotChecked, warning, type Check, type Finding } from './check.js';
import type { Setup } from './setup.js';

export interface CheckResult extends Finding {
  name: string;
}

/** How long each check may take; beyond the deadline of any command that a check waits for. */
const patienceMs = 45_000;
/** Findings of one check: a cluster may have ten thousand claims. */
const most = 10;
const longest = 500;

/** Runs every check, all at once, each to its end or its deadline; the results come in the order of the checks. */
export async function examine(
  checks: readonly Check[],
  setup: Setup,
  signal: AbortSignal,
  limit = patienceMs,
): Promise<CheckResult[]> {
  const results = await Promise.all(
    checks.map(async (check) => {
      const findings = bounded(await findingsOf(check, setup, signal, limit));
      return findings.map(({ status, message, fix }) => ({
        name: check.name,
        status,
        message: oneLine(message),
        fix: fix === null ? null : oneLine(fix),
      }));
    }),
  );
  signal.throwIfAborted();
  return results.flat();
}

async function findingsOf(
  check: Check,
  setup: Setup,
  signal: AbortSignal,
  limit: number,
): Promise<Finding[]> {
  const done = new AbortController();
  const late = new AbortController();
  const timer = sleep(limit, null, { signal: AbortSignal.any([done.signal, signal]) }).then(
    () => {
      late.abort(new Error(`no answer within ${limit / 1000} s`));
      return failed(`no answer within ${limit / 1000} s`, 'look for what does not answer, then try again');
    },
    () => failed('stopped', 'try again'),
  );
  try {
    const found = await Promise.race([check.run(setup, AbortSignal.any([signal, late.signal])), timer]);
    return [found].flat();
  } catch (thrown) {
    if (thrown instanceof NotChecked) return [warning(thrown.message, 'mend that first, then try again')];
    const { message, guidance } = asCephbackupError(thrown);
    return [failed(message, guidance)];
  } finally {
    done.abort();
  }
}

function bounded(findings: readonly Finding[]): Finding[] {
  if (findings.length <= most) return [...findings];
  const rank = { failed: 0, warning: 1, ok: 2 };
  const sorted = findings.toSorted((a, b) => rank[a.status] - rank[b.status]);
  const left = sorted.slice(most);
  const worst = left[0]?.status ?? 'ok';
  const more = { status: worst, message: `and ${left.length} more of this kind`, fix: null };
  return [...sorted.slice(0, most), more];
}

function oneLine(text: string): string {
  const line = printable(text.trim());
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}
