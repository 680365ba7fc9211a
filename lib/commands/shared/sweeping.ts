import { asCephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { Logger } from '../../log/logger.js';
import type { Leftover } from '../../ownership/scope.js';
import type { Sweeper, SweepRequest } from '../../volumes/driver.js';

export interface Swept {
  leftovers: Leftover[];
  warnings: string[];
}

/** Removes what crashed runs left. May run beside the backups: names tell whose they are. */
export async function sweepEarlierRuns(
  sweepers: readonly Sweeper[],
  request: Omit<SweepRequest, 'thorough' | 'dryRun'>,
): Promise<Swept> {
  const reports = await Promise.all(
    sweepers.map((sweeper) => sweeper.sweep({ ...request, thorough: false, dryRun: false })),
  );
  return {
    leftovers: reports.flatMap(({ leftovers }) => leftovers),
    warnings: reports.flatMap(({ problems }) => problems),
  };
}

/** What cannot be audited by then is named in a warning. */
const auditLimitMs = 60_000;

/** Looks once more whether everything that a run made, or that was removed, is gone. Never throws. */
export async function auditNames(
  sweepers: readonly Sweeper[],
  names: ReadonlySet<string>,
  volumes: readonly PlannedVolume[],
  log: Logger,
  // One of its own: a run that was stopped must know, too.
  signal = AbortSignal.timeout(auditLimitMs),
): Promise<Swept> {
  if (names.size === 0) return { leftovers: [], warnings: [] };
  const ends = await Promise.allSettled(sweepers.map((sweeper) => sweeper.audit({ names, volumes, signal })));
  const warnings = ends.flatMap((end) =>
    end.status === 'rejected'
      ? [`could not look for leftovers: ${asCephbackupError(end.reason).message}`]
      : end.value.problems,
  );
  const leftovers = ends.flatMap((end) => (end.status === 'fulfilled' ? end.value.leftovers : []));
  for (const { kind, name, reason } of leftovers) log.error(`left behind: ${kind} ${name}`, { reason });
  return { leftovers, warnings };
}

/** One entry for each thing, the first reason first. */
export function uniqueLeftovers(leftovers: readonly Leftover[]): Leftover[] {
  return [
    ...new Map(leftovers.toReversed().map((one) => [`${one.kind} ${one.name}`, one])).values(),
  ].toReversed();
}
