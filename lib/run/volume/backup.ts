import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import { deadline } from '../../waiting/deadline.js';
import type { Moment } from '../moment.js';
import type { VolumeEnd } from '../report.js';
import { Attempt, type Over } from './attempt.js';
import { fail } from './fail.js';
import { besideImage, saveImage } from './image.js';
import { mark } from './mark.js';
import { prepare } from './prepare.js';
import { proveAndUnwind } from './prove.js';
import { save } from './save.js';
import type { VolumeTools } from './tools.js';

/**
 * One volume from snapshot to mark. Never throws: a volume's fault touches that volume alone.
 *
 * @param name of the snapshot and the clone
 * @param over is told how far it is, which may be before the end
 */
export async function backupVolume(
  tools: VolumeTools,
  volume: PlannedVolume,
  name: string,
  moment: Moment,
  runSignal: AbortSignal,
  over: Over = { read: () => undefined, unwound: () => undefined },
): Promise<VolumeEnd> {
  const attempt = new Attempt(tools, volume, name, moment, over);
  const limit = deadline(tools.volumeTimeoutMs, () => timeout(tools.volumeTimeoutMs ?? 0), runSignal);
  try {
    const prepared = await prepare(attempt, limit.signal);
    const summary = await save(attempt, prepared, limit.signal);
    // What is in the repository now is proven and marked also where the run is being stopped: that takes seconds, and
    // is bounded by the commands' own deadlines.
    const proven = await proveAndUnwind(attempt, prepared, summary);
    return attempt.ended(await mark(attempt, proven));
  } catch (thrown) {
    const failure = asCephbackupError(thrown);
    const image = await saveImage(attempt, failure, limit.signal);
    return attempt.ended(
      await fail(attempt, image === null ? failure : besideImage(failure, image, volume), image),
    );
  } finally {
    limit.clear();
    attempt.activity.end();
  }
}

function timeout(limitMs: number): CephbackupError {
  return new CephbackupError('VOLUME_TIMEOUT', `not finished after ${limitMs / 1000} s`);
}
