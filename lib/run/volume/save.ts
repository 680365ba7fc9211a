import { asCephbackupError } from '../../errors/error.js';
import { BackupError, backupSource } from '../../repository/backup.js';
import { isLockLost, notOpened } from '../../tools/restic/errors.js';
import type { BackupSummary } from '../../tools/restic/restic.js';
import { unlimitedMs } from '../../waiting/deadline.js';
import type { Attempt } from './attempt.js';
import { refuseEverythingExcluded } from './everything-excluded.js';
import type { Prepared } from './prepare.js';

const lookMs = 60_000;

/** Lets restic save the volume. Where it fails, a snapshot that it has saved all the same is named as a stray. */
export async function save(
  attempt: Attempt,
  prepared: Prepared,
  signal: AbortSignal,
): Promise<BackupSummary> {
  try {
    return await saveOnParent(attempt, prepared, signal);
  } catch (thrown) {
    if (!(thrown instanceof BackupError)) throw thrown;
    await nameStrays(attempt, prepared, thrown, 'restic saved it although it failed');
    throw thrown;
  }
}

/** Data of the previous backup may be gone from the repository: then everything is read, and stored again. */
async function saveOnParent(
  attempt: Attempt,
  prepared: Prepared,
  signal: AbortSignal,
): Promise<BackupSummary> {
  const { parent } = prepared;
  try {
    return await saveWithLock(attempt, prepared, parent?.id ?? null, signal);
  } catch (thrown) {
    if (thrown instanceof BackupError && thrown.code === 'VOLUME_EMPTY')
      await confirmEmpty(attempt, prepared);
    if (parent === null || !(thrown instanceof BackupError) || !thrown.parentIncomplete) throw thrown;
    await nameStrays(attempt, prepared, thrown, 'restic saved it although data of its parent is missing');
    attempt.warn(
      'data of the previous backup is missing in the repository: everything is read and stored again',
    );
    return saveWithLock(attempt, prepared, null, signal);
  }
}

/**
 * A lock that was lost is taken once more. restic may have saved its snapshot at that very moment, and not said so: such a
 * one is no backup.
 */
async function saveWithLock(...request: Parameters<typeof saveOnce>): Promise<BackupSummary> {
  try {
    return await saveOnce(...request);
  } catch (thrown) {
    if (!(thrown instanceof BackupError) || !isLockLost(thrown) || thrown.savedSnapshot !== null)
      throw thrown;
    const [attempt, prepared] = request;
    await nameStrays(attempt, prepared, thrown, 'restic saved it although it lost its lock');
    attempt.warn(`${thrown.message}: the volume is read again`);
    return saveOnce(...request);
  }
}

async function saveOnce(
  attempt: Attempt,
  prepared: Prepared,
  parent: string | null,
  signal: AbortSignal,
): Promise<BackupSummary> {
  try {
    return await saveAsIs(attempt, prepared, parent, signal);
  } catch (thrown) {
    const { source } = prepared;
    const why = source.type === 'directory' ? (source.disk?.failure() ?? null) : null;
    // That restic could not read is what came of it.
    if (why === null || signal.aborted || !(thrown instanceof BackupError)) throw thrown;
    throw new BackupError(why, thrown.savedSnapshot);
  }
}

function saveAsIs(
  { tools, volume, time, activity }: Attempt,
  { source, tags, rules }: Prepared,
  parent: string | null,
  signal: AbortSignal,
): Promise<BackupSummary> {
  const expected = source.type === 'stream' ? source.length : (source.disk?.expectedBytes ?? null);
  return backupSource(tools.restic, {
    host: volume.host,
    tags,
    time,
    source,
    signal,
    excludes: { rules, temporary: tools.temporary },
    parent,
    deadlineMs: unlimitedMs,
    // Later, restic itself tries again for 15 minutes: what it reads is not read twice for that.
    patience: { ownRetries: true, ifSaid: notOpened },
    onProgress: (progress) => {
      activity.reached({ ...progress, totalBytes: progress.totalBytes ?? expected });
    },
  });
}

/** Nothing at all is what a mount that is gone shows, too, and what is left where everything is excluded. */
async function confirmEmpty({ tools }: Attempt, { source, rules }: Prepared): Promise<void> {
  if (source.type !== 'directory') return;
  await refuseEverythingExcluded(tools.exec, source, rules, 0);
  await source.confirm();
}

async function nameStrays(
  attempt: Attempt,
  prepared: Prepared,
  error: BackupError,
  reason: string,
): Promise<void> {
  for (const id of await strays(attempt, prepared, error)) attempt.stray(id, reason);
}

/** Ids of the snapshots that restic has saved although it failed, as far as that can be known. */
async function strays(
  { tools, time, log }: Attempt,
  { tags }: Prepared,
  error: BackupError,
): Promise<string[]> {
  const { savedSnapshot, kind } = error;
  if (savedSnapshot !== null) return [savedSnapshot];
  // A repository that cannot be used cannot be asked, and holds nothing new.
  if (kind === 'unusable' && !isLockLost(error)) return [];
  try {
    const found = await tools.restic.snapshots(tags, { deadlineMs: lookMs });
    return found.filter((snapshot) => Date.parse(snapshot.time) === time).map(({ id }) => id);
  } catch (thrown) {
    log.warn(`could not look for a partial snapshot: ${asCephbackupError(thrown).message}`);
    return [];
  }
}
