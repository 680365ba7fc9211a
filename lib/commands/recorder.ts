import { tenantText } from '../errors/tenant.js';
import type { KubeApi } from '../kube/client.js';
import { writeEvent } from '../kube/events.js';
import { markBackup, markFailure } from '../kube/marks.js';
import type { PlannedVolume } from '../plan/types.js';
import type { Logger } from '../report/logger.js';
import type { Recorder } from '../run/recorder.js';
import { asCephbackupError } from '../errors/error.js';

/** Records in the cluster: annotations on the PersistentVolume, an Event on the claim. */
export function clusterRecorder(api: KubeApi, prefix: string, log: Logger): Recorder {
  const target = ({ pv, uid }: PlannedVolume) => ({ pv: pv ?? '', claimUid: uid, prefix });
  return {
    async succeeded(volume, { time, attempt, snapshot }) {
      const backup = { lastBackup: rfc3339(time), snapshotId: snapshot, attempt: rfc3339(attempt) };
      const mark = await markBackup(api, { ...target(volume), ...backup });
      if (mark === 'marked') {
        const message = `Backed up as of ${rfc3339(time)} (snapshot ${snapshot.slice(0, 8)}).`;
        await writeEvent(api, { claim: volume.claim, reason: 'BackupSucceeded', message, log });
      }
      return mark;
    },
    async failed(volume, { attempt, error }) {
      try {
        await markFailure(api, { ...target(volume), attempt: rfc3339(attempt), error: error.code });
      } catch (thrown) {
        log.warn(`could not annotate the failure: ${asCephbackupError(thrown).message}`);
      }
      await writeEvent(api, { claim: volume.claim, reason: 'BackupFailed', message: tenantText(error), log });
    },
  };
}

function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}
