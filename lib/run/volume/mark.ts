import { asCephbackupError, type CephbackupError } from '../../errors/error.js';
import { rfc3339 } from '../../log/time.js';
import { emptyResult, type VolumeEnd, type VolumeResult } from '../report.js';
import type { Attempt } from './attempt.js';
import { settleBase } from './base.js';
import type { ProvenBackup } from './prove.js';

/** Marks a proven backup on the claim's PersistentVolume, and says what the volume came to. */
export async function mark(attempt: Attempt, backup: ProvenBackup): Promise<VolumeEnd> {
  const { tools, volume, time, log } = attempt;
  const { summary, snapshot, imageSize } = backup;
  const seconds = attempt.seconds();
  tools.proofs.proven(snapshot);
  const previous = (await tools.history).proven(volume.uid, tools.markedSnapshot(volume));
  const unchanged = previous !== null && previous.tree === snapshot.tree;
  const { marked, error } = await record(attempt, snapshot.id, imageSize);
  const left = await settleBase(attempt, marked ? snapshot.id : null, backup.leftovers);
  const leftovers = [...left, ...attempt.strays];
  const result: VolumeResult = {
    ...emptyResult(volume, unchanged ? 'unchanged' : 'succeeded', error?.report() ?? null),
    snapshot: snapshot.id,
    time: rfc3339(time),
    bytesTotal: summary.bytesProcessed,
    bytesRead: backup.bytesRead ?? summary.bytesRead,
    bytesAdded: summary.bytesAdded,
    seconds,
    heldSeconds: attempt.heldSeconds,
    excludes: attempt.excludes,
    warnings: attempt.warnings,
    ...(backup.base === null ? {} : { base: backup.base }),
  };
  log.info(result.outcome, { snapshot: snapshot.id.slice(0, 8), seconds });
  return { result, leftovers, error };
}

/** Whether the backup is marked now; and what kept it from that, where there is still a claim. */
async function record(
  attempt: Attempt,
  snapshot: string,
  imageSize: number | null,
): Promise<{ marked: boolean; error: CephbackupError | null }> {
  const { tools, volume, time, began, log } = attempt;
  try {
    await tools.mayMark(volume, imageSize, time);
    const mark = await tools.recorder.succeeded(volume, { time, attempt: began, snapshot });
    if (mark === 'claim-gone')
      attempt.warn('the claim vanished while it was backed up: its volume is not annotated');
    return { marked: mark === 'marked', error: null };
  } catch (thrown) {
    const error = asCephbackupError(thrown);
    log.error(error.message, { code: error.code });
    return { marked: false, error };
  }
}
