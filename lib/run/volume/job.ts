import type { VolumeJob } from '../../volumes/driver.js';
import { unlessAborted } from '../../waiting/within.js';
import type { Attempt } from './attempt.js';

/** What a driver is given to prepare the volume with. */
export function volumeJob(attempt: Attempt, signal: AbortSignal): VolumeJob {
  const { volume, name, scope, log, moment, tools } = attempt;
  const pointInTime: VolumeJob['pointInTime'] = (asked = moment.time(tools.clock)) => {
    attempt.snapshotAsked(asked);
    return asked;
  };
  return {
    volume,
    name,
    scope,
    signal,
    log,
    step: (text) => {
      attempt.step(text);
    },
    warn: (text) => {
      attempt.warn(text);
    },
    failedLast: tools.failedLast(volume),
    parent: async () => (await tools.history).proven(volume.uid, tools.markedSnapshot(volume)),
    pointInTime,
    takeSnapshot: (ask) =>
      atMoment(attempt, signal, async (during) => {
        const begun: number[] = [];
        const madeBy = await ask(() => {
          begun.push(pointInTime());
          return attempt.time;
        }, during);
        return pointInTime(begun[madeBy - 1] ?? begun[0]);
      }),
    shares: moment.shares,
  };
}

/** Takes the snapshot when the moment has come; what it holds is read when it is the volume's turn. */
async function atMoment<T>(
  attempt: Attempt,
  signal: AbortSignal,
  take: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { moment, log, tools } = attempt;
  // All volumes of one moment have one turn.
  await tools.pace.turn(moment.uids.join(), signal);
  const warn = (text: string) => {
    attempt.warn(text);
  };
  const held = (heldSeconds: number) => {
    attempt.heldSeconds = heldSeconds;
    log.info('applications were held', { heldSeconds });
  };
  const value = await moment.around({ signal, log, warn, held }, take);
  await unlessAborted(moment.turn(), signal);
  return value;
}
