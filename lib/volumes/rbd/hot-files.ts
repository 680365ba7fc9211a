import { setTimeout as pause } from 'node:timers/promises';
import { CephbackupError } from '../../errors/error.js';
import type { EpochMs } from '../../log/time.js';
import { findBelow } from '../../tools/node/find.js';
import type { CommandOptions, Exec, NamespaceRef } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import { unlimitedMs } from '../../waiting/deadline.js';

/**
 * For so long before a snapshot, in milliseconds, a file that was changed is hot: its new times may be in the snapshot, and
 * its new data not yet. docs/formats.md says what it is made of.
 */
export const hotWindowMs = 3_600_000;

type FindOptions = Partial<CommandOptions> & { namespace: NamespaceRef };

/** What a walk over a filesystem tells of its times (ctime). */
export interface Changes {
  /** When the newest change was made, by the clock of its writer, rounded down to milliseconds. */
  newest: EpochMs | null;
  /** The same, with what is dated after the snapshot: no file has a later time. */
  latest: EpochMs | null;
}

/**
 * Looks for the newest change in a filesystem: what the clock of its writer had reached at least. What is dated after
 * `until` tells nothing of that.
 *
 * @param known a change that is known from before: only newer ones are looked for
 */
export async function findChanges(
  exec: Exec,
  directory: string,
  { known, until }: { known: EpochMs | null; until: EpochMs },
  options: FindOptions,
): Promise<Changes> {
  const newer = known === null ? [] : ['-newerct', `@${(known + 1) / 1000}`];
  let [newest, latest] = [known, known];
  const found = await findBelow(exec, { directory }, [...newer, '-printf', '%C@\\n'], {
    deadlineMs: unlimitedMs,
    ...options,
    onStdoutLine: (line) => {
      const time = Math.floor(Number(line) * 1000);
      if (latest === null || time > latest) latest = time;
      if (time <= until && (newest === null || time > newest)) newest = time;
    },
  });
  if (found.exitCode === 0) return { newest, latest };
  const message = `the times of the clone's files cannot be read: ${lastLine(found.stderr)}`;
  throw new CephbackupError('FILESYSTEM_CORRUPT', message);
}

export interface HotQuestion {
  /** When the snapshot was taken, by this program's clock. */
  taken: EpochMs;
  /** The newest change in the snapshot, by the clock of whoever made it. */
  newest: EpochMs | null;
  /** That of the previous backup; null where it is not known. */
  previousNewest: EpochMs | null;
}

/**
 * From when on a change is hot. The clock of the node that writes may be behind: then what was written just before the
 * snapshot looks old by our clock, but not beside the newest change, which has the same clock. Where there was no change
 * since the previous backup, nothing can be on its way that was not then.
 */
export function hotSince({ taken, newest, previousNewest }: HotQuestion): EpochMs {
  const idle = newest === null || newest === previousNewest;
  return (idle ? taken : Math.min(taken, newest)) - hotWindowMs;
}

export interface Hot {
  /** What was changed later is hot. */
  since: EpochMs;
  /** Whether the filesystem keeps whole seconds: then a change in this very one would leave the time as it was. */
  wholeSeconds: boolean;
}

/**
 * Makes restic read the hot files again in the next run. restic takes from the previous backup what has the same times
 * there; so each hot file gets another ctime here, on the throwaway clone, before restic reads it. What the next snapshot has is
 * then never the same. `touch -a` changes the time of last access, which restic does not keep, and with it the ctime.
 *
 * @param directory where the clone is mounted for writing
 * @returns how many files were hot
 * @throws CephbackupError FILESYSTEM_CORRUPT where a hot file cannot be changed
 */
export async function markHotFiles(
  exec: Exec,
  directory: string,
  { since, wholeSeconds }: Hot,
  options: FindOptions,
): Promise<number> {
  const marking = new Marking(exec, directory, options);
  if (!wholeSeconds) return marking.touch(since);
  const now = Math.floor(Date.now() / 1000) * 1000;
  const before = await marking.times(Math.max(since, now - 1));
  const count = await marking.touch(since);
  for (;;) {
    const same = before.size === 0 ? [] : await marking.unchanged(before, since);
    if (same.length === 0) return count;
    await pause(1_100, undefined, { signal: options.signal });
    for (let start = 0; start < same.length; start += batch)
      await marking.touch(since, same.slice(start, start + batch));
  }
}

/** So many inodes are named to one command. */
const batch = 1_000;

/** The hot files of a mounted clone. Walks of everything: only the volume's deadline ends them. */
class Marking {
  constructor(
    private readonly exec: Exec,
    private readonly directory: string,
    private readonly options: FindOptions,
  ) {}

  /** The ctime of each file that was changed later, by its inode. */
  async times(since: EpochMs): Promise<Map<string, string>> {
    const times = new Map<string, string>();
    await this.#find(since, ['-printf', '%i %C@\\n'], (line) => {
      const [inode = '', time = ''] = line.split(' ');
      times.set(inode, time);
    });
    return times;
  }

  /** Which of these files still have the ctime that they had. */
  async unchanged(before: ReadonlyMap<string, string>, since: EpochMs): Promise<string[]> {
    const same: string[] = [];
    await this.#find(since, ['-printf', '%i %C@\\n'], (line) => {
      const [inode = '', time] = line.split(' ');
      if (before.get(inode) === time) same.push(inode);
    });
    return same;
  }

  /** Returns how many there were. @param inodes only these */
  async touch(since: EpochMs, inodes: readonly string[] = []): Promise<number> {
    const only = inodes.flatMap((inode, index) => [index === 0 ? '(' : '-o', '-inum', inode]);
    const these = [...only, ...(only.length === 0 ? [] : [')'])];
    const touch = [...these, '-printf', 'x', '-exec', 'touch', '-a', '-c', '--', '{}', '+'];
    const first = await this.#find(since, touch);
    if (first.exitCode === 0) return first.stdout.length;
    // Of immutable and append-only files not even root can change the times.
    await this.#find(since, [...these, '-exec', 'chattr', '-f', '-i', '-a', '{}', '+']);
    const second = await this.#find(since, touch);
    if (second.exitCode === 0) return second.stdout.length;
    throw new CephbackupError(
      'FILESYSTEM_CORRUPT',
      `files that were changed just before the snapshot cannot be marked on the clone: ${lastLine(second.stderr)}`,
    );
  }

  #find(since: EpochMs, args: readonly string[], onStdoutLine?: (line: string) => void) {
    const hot = ['-type', 'f', '-newerct', `@${Math.floor(since / 1000)}`];
    return findBelow(this.exec, { directory: this.directory }, [...hot, ...args], {
      deadlineMs: unlimitedMs,
      ...this.options,
      ...(onStdoutLine && { onStdoutLine }),
    });
  }
}
