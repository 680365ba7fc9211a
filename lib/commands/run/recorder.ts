import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { tenantText } from '../../errors/tenant.js';
import type { KubeApi } from '../../kube/api.js';
import { recordEvent, type BackupEvent } from '../../kube/events.js';
import { claimIsGone, markBackup, markFailure } from '../../kube/marks.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { Logger } from '../../log/logger.js';
import { rfc3339, type EpochMs } from '../../log/time.js';
import type { Recorder } from '../../run/recorder.js';
import { deadline, grace, type Deadline } from '../../waiting/deadline.js';

export interface RecorderOptions {
  api: KubeApi;
  prefix: string;
  runId: string;
  log: Logger;
  clock: () => EpochMs;
  /** Aborts when the run is told to end. */
  stopping: AbortSignal;
  /** How long a failure is tried to be marked, and how long still once the run was told to end. */
  patience?: { runningMs: number; stoppedMs: number };
}

/** How long a backup that is proven is tried to be marked, also when the run was stopped already. */
const successPatienceMs = 60_000;
const failurePatience = { runningMs: 60_000, stoppedMs: 10_000 };
/** For an event, and a look at a claim. */
const shortPatienceMs = 10_000;

/** Records in the cluster: annotations on the PersistentVolume, an Event on the claim. */
export function clusterRecorder(options: RecorderOptions): Recorder {
  const { api, prefix, runId, log, clock, stopping, patience = failurePatience } = options;
  const target = ({ pv, uid }: PlannedVolume) => ({ pv: pv ?? '', claimUid: uid, prefix });
  const tell = async (volume: PlannedVolume, reason: BackupEvent['reason'], message: string) => {
    const claim = { namespace: volume.namespace, name: volume.pvc, uid: volume.uid };
    const event = { claim, reason, message, runId, time: clock() };
    const warning = await recordEvent(api, event, { signal: AbortSignal.timeout(shortPatienceMs) });
    if (warning !== null) log.warn(warning);
  };
  return {
    async succeeded(volume, { time, attempt, snapshot }) {
      const backup = { lastBackup: rfc3339(time), snapshotId: snapshot, attempt: rfc3339(attempt) };
      // A signal of its own: a proven backup is marked although the run is being stopped.
      const signal = AbortSignal.timeout(2 * successPatienceMs);
      const mark = await markBackup(
        api,
        { ...target(volume), ...backup },
        { signal, patienceMs: successPatienceMs },
      );
      if (mark === 'marked') {
        await tell(
          volume,
          'BackupSucceeded',
          `Backed up as of ${rfc3339(time)}, snapshot ${snapshot.slice(0, 8)}.`,
        );
      }
      return mark;
    },
    async failed(volume, { attempt, error }) {
      const limit = hurried(stopping, patience);
      try {
        const failure = { ...target(volume), attempt: rfc3339(attempt), code: error.code };
        await markFailure(api, failure, { signal: limit.signal, patienceMs: patience.runningMs });
      } catch (thrown) {
        log.warn(`could not annotate the failure: ${asCephbackupError(thrown).message}`);
      } finally {
        limit.clear();
      }
      await tell(volume, 'BackupFailed', tenantText(error));
    },
    async isGone(volume) {
      const short = { signal: AbortSignal.timeout(shortPatienceMs), patienceMs: shortPatienceMs };
      const { pv, claimUid } = target(volume);
      return claimIsGone(api, { pv, claimUid, namespace: volume.namespace, name: volume.pvc }, short);
    },
  };
}

/** Aborts after the time that a run has, or sooner once it is told to end. */
function hurried(
  stopping: AbortSignal,
  { runningMs, stoppedMs }: { runningMs: number; stoppedMs: number },
): Deadline {
  const late = () => new CephbackupError('KUBE_UNREACHABLE', 'the Kubernetes API did not take it in time');
  const stopped = grace(stopping, stoppedMs, late);
  const running = deadline(runningMs, late, stopped.signal);
  return {
    signal: running.signal,
    clear: () => {
      running.clear();
      stopped.clear();
    },
  };
}
