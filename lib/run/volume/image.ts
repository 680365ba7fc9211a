import type { ErrorCode } from '../../errors/catalogue.js';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { rfc3339 } from '../../log/time.js';
import type { PlannedVolume } from '../../plan/types.js';
import { nothingExcluded } from '../../repository/excludes.js';
import { pointInTime } from '../../repository/history.js';
import { claimTags } from '../../repository/tags.js';
import { corruptionSaid } from '../../tools/node/mount.js';
import type { SavedImage } from '../report.js';
import type { Attempt } from './attempt.js';
import { hadBackup } from './fail.js';
import { volumeJob } from './job.js';
import type { Prepared } from './prepare.js';
import { proveAndUnwind } from './prove.js';
import { save } from './save.js';

/** The volume's bytes are there, and its files cannot be had from them. */
const unreadable = new Set<ErrorCode>(['FILESYSTEM_CORRUPT', 'FILESYSTEM_MISMATCH']);

/**
 * Saves the disk below a filesystem that could not be mended, if the user wants that: as it was at the snapshot, before
 * anything was repaired. It is recorded as an image, so that no command takes it for a backup of the claim, and it is
 * never marked. Never throws: the volume has failed in any case.
 */
export async function saveImage(
  attempt: Attempt,
  failure: CephbackupError,
  signal: AbortSignal,
): Promise<SavedImage | null> {
  try {
    if (!(await isWanted(attempt, failure))) return null;
    return await saveDisk(attempt, signal);
  } catch (thrown) {
    attempt.warn(`no image of the volume could be saved: ${asCephbackupError(thrown).message}`);
    return null;
  }
}

async function isWanted(attempt: Attempt, { code, message }: CephbackupError): Promise<boolean> {
  if (attempt.tools.onCorrupt === 'fail') return false;
  if (code === 'READ_INCOMPLETE') return corruptionSaid.test(message);
  // Where its superblock was. A volume that was never used has nothing to be saved.
  if (code === 'FILESYSTEM_MISSING') return hadBackup(attempt);
  return unreadable.has(code);
}

async function saveDisk(attempt: Attempt, signal: AbortSignal): Promise<SavedImage | null> {
  const { tools, volume, log } = attempt;
  const source = await tools.driverFor(volume).image?.(volumeJob(attempt, signal));
  if (source === undefined) return null;
  const history = await tools.history;
  await tools.maySave;
  attempt.time = pointInTime(attempt.time, history.newest(volume.uid)).time;
  attempt.step('saving an image');
  const prepared: Prepared = {
    source,
    tags: claimTags(tools.clusterName, { ...volume, kind: 'rbd-block' }),
    rules: nothingExcluded,
    parent: null,
  };
  const { summary, snapshot, imageSize } = await proveAndUnwind(
    attempt,
    prepared,
    await save(attempt, prepared, signal),
  );
  await tools.mayMark(volume, imageSize, attempt.time);
  tools.proofs.image(snapshot);
  log.info('saved an image', { snapshot: snapshot.id.slice(0, 8) });
  return {
    snapshot: snapshot.id,
    time: rfc3339(attempt.time),
    bytesTotal: summary.bytesProcessed,
    bytesRead: summary.bytesRead,
    bytesAdded: summary.bytesAdded,
  };
}

/**
 * The failure, and what there is all the same. Only what is corrupt is told to be repaired: a filesystem of another kind
 * than the PersistentVolume says may be sound, and its guidance is that of the failure.
 */
export function besideImage(
  failure: CephbackupError,
  { snapshot }: SavedImage,
  { namespace, pvc }: PlannedVolume,
): CephbackupError {
  const { code, message, retryable, guidance: own } = failure;
  const id = snapshot.slice(0, 8);
  const restore = `cephbackup restore ${namespace}/${pvc} --snapshot ${id} --to-image POOL/IMAGE`;
  const saved = `The volume counts as not backed up. Its disk as it was is saved: \`${restore}\` (or --to-file FILE) makes a copy`;
  const guidance =
    code === 'FILESYSTEM_CORRUPT'
      ? `${saved}, on which a full fsck can be tried first. Then stop its pods and run one on the volume.`
      : `${own} ${saved}.`;
  const text = `${message}; its disk was saved as an image, snapshot ${id}`;
  return new CephbackupError(code, text, { guidance, retryable, cause: failure });
}
