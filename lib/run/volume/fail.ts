import type { ErrorCode } from '../../errors/catalogue.js';
import { asCephbackupError, type CephbackupError } from '../../errors/error.js';
import type { Leftover } from '../../ownership/scope.js';
import { emptyResult, notAttempted, type Outcome, type SavedImage, type VolumeEnd } from '../report.js';
import type { Attempt } from './attempt.js';
import { settleBase } from './base.js';

/** The volume was never used: it has no filesystem, or nothing in it. */
const nothingThere = new Set<ErrorCode>(['FILESYSTEM_MISSING', 'VOLUME_EMPTY']);
/** What a volume comes to whose claim was deleted since the plan was made. */
const notFound = new Set<ErrorCode>([
  'IMAGE_NOT_FOUND',
  'SUBVOLUME_NOT_FOUND',
  'DIRECTORY_NOT_FOUND',
  'SNAPSHOT_VANISHED',
]);

/**
 * What follows when a step has failed: everything is released, and the volume failed unless that is not its fault.
 * @param image that was saved of it
 */
export async function fail(
  attempt: Attempt,
  error: CephbackupError,
  image: SavedImage | null,
): Promise<VolumeEnd> {
  const { tools, volume } = attempt;
  await settleBase(attempt, null, []);
  const leftovers = [...(await attempt.unwind()), ...attempt.strays];
  const unusable = await tools.history.then(() => null, asCephbackupError);
  // Without a repository nothing was attempted, whatever has come of the volume meanwhile. Pods that may still be held
  // are told of in any case.
  if (unusable !== null && error.code !== 'HOOK_FAILED') return notAttempted(volume, unusable, leftovers);
  if (leftovers.length === 0) {
    if (nothingThere.has(error.code) && !(await hadBackup(attempt)))
      return harmless(attempt, 'empty', `there is nothing in it yet: ${error.message}`);
    if (notFound.has(error.code) && (await isGone(attempt)))
      return harmless(attempt, 'vanished', `its claim is gone: ${error.message}`);
  }
  return failed(attempt, error, leftovers, image);
}

/** Also one whose snapshot is not in this repository any more. */
export async function hadBackup({ tools, volume }: Attempt): Promise<boolean> {
  const history = await tools.history;
  return (
    volume.lastBackup !== null || tools.markedSnapshot(volume) !== null || history.newest(volume.uid) !== null
  );
}

async function isGone({ tools, volume, log }: Attempt): Promise<boolean> {
  try {
    return await tools.recorder.isGone(volume);
  } catch (thrown) {
    log.warn(`could not look for the claim: ${asCephbackupError(thrown).message}`);
    return false;
  }
}

/** The end of a volume that was not backed up because there is nothing to back up. */
function harmless(attempt: Attempt, outcome: Outcome, why: string): VolumeEnd {
  attempt.warn(why);
  attempt.log.info(outcome);
  const result = emptyResult(attempt.volume, outcome, null);
  const { heldSeconds, warnings } = attempt;
  const seconds = attempt.seconds();
  return { result: { ...result, seconds, heldSeconds, warnings }, leftovers: [], error: null };
}

async function failed(
  attempt: Attempt,
  error: CephbackupError,
  leftovers: Leftover[],
  image: SavedImage | null,
): Promise<VolumeEnd> {
  const { tools, volume, began, log, excludes, warnings, heldSeconds } = attempt;
  const seconds = attempt.seconds();
  log.error(error.message, { code: error.code });
  await tools.recorder.failed(volume, { attempt: began, error });
  const empty = emptyResult(volume, 'failed', error.report());
  const result = { ...empty, seconds, heldSeconds, excludes, warnings, ...(image && { image }) };
  return { result, leftovers, error };
}
