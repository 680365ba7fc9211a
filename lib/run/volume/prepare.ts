import {
  describeExcludes,
  madeByOtherRules,
  nothingExcluded,
  type ExcludeRules,
} from '../../repository/excludes.js';
import { filesAreDue } from '../../plan/full-read.js';
import { pointInTime, type History } from '../../repository/history.js';
import type { BackupSource } from '../../repository/source.js';
import { claimTags } from '../../repository/tags.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { unlessAborted } from '../../waiting/within.js';
import type { Attempt } from './attempt.js';
import { volumeJob } from './job.js';

/** A volume at a point in time, ready to be read, and what restic is to know of it. */
export interface Prepared {
  source: BackupSource;
  tags: string[];
  rules: ExcludeRules;
  /** The snapshot whose files need not be read where they are unchanged; null: everything is read. */
  parent: ResticSnapshot | null;
}

/** Makes the volume readable, and decides what the backup builds on. */
export async function prepare(attempt: Attempt, signal: AbortSignal): Promise<Prepared> {
  const { tools, volume, log } = attempt;
  const tags = claimTags(tools.clusterName, volume);
  await tools.readKey(volume, signal);
  const source = await tools.driverFor(volume).prepare(volumeJob(attempt, signal));
  const history = await unlessAborted(tools.history, signal);
  await unlessAborted(tools.maySave, signal);
  datedAfterEarlierBackups(attempt, history);
  attempt.step('backing up');
  const previous = history.proven(volume.uid, tools.markedSnapshot(volume));
  const rules = rulesFor(attempt, source);
  tellExcludes(attempt, rules, previous);
  const readAll = source.type === 'stream' ? null : (source.readAll ?? fullRead(attempt, previous));
  if (readAll !== null) log.info(`everything is read: ${readAll}`);
  return { source, tags, rules, parent: readAll === null ? previous : null };
}

/** The point in time as it was read before the snapshot was asked for, or later where the repository demands it. */
function datedAfterEarlierBackups(attempt: Attempt, history: History): void {
  const { time, adjusted } = pointInTime(attempt.time, newestOf(history, attempt.moment.uids));
  attempt.time = time;
  if (!adjusted) return;
  attempt.warn(
    'the clock is behind the newest snapshot of this claim: the backup is dated one second after it',
  );
}

/** Backups of one moment have one point in time: it is later than the newest of all of these claims. */
function newestOf(history: History, uids: readonly string[]): ReturnType<History['newest']> {
  const all = uids.map((uid) => history.newest(uid)).filter((newest) => newest !== null);
  return all.sort((a, b) => b.time - a.time)[0] ?? null;
}

/** Nothing of a disk is left out. */
function rulesFor({ tools, volume }: Attempt, source: BackupSource): ExcludeRules {
  const { caches, ifPresent } = tools.exclude;
  const isFiles = source.type === 'directory' && source.disk === undefined;
  return isFiles ? { patterns: volume.excludes, caches, ifPresent } : nothingExcluded;
}

function tellExcludes(attempt: Attempt, rules: ExcludeRules, previous: ResticSnapshot | null): void {
  attempt.excludes = describeExcludes(rules);
  if (attempt.excludes.length > 0) attempt.log.info(`leaving out ${attempt.excludes.join(', ')}`);
  if (previous !== null && madeByOtherRules(previous, rules))
    attempt.warn('what is left out has changed since the last backup');
}

/** Why the previous backup is not believed this time; null where it is. */
function fullRead({ volume, tools, time }: Attempt, previous: ResticSnapshot | null): string | null {
  // CephFS has no window, and a disk asks by itself.
  if (volume.kind !== 'rbd-filesystem') return null;
  const due = filesAreDue({
    uid: volume.uid,
    backedUp: previous === null ? null : Date.parse(previous.time),
    attempted: tools.lastAttempt(volume),
    now: time,
    everyMs: tools.fullEveryMs,
  });
  return due ? 'its turn has come, which it has once each --full-every' : null;
}
