import type { EpochMs } from '../log/time.js';
import type { CephbackupError } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';

/** Tells the cluster how a volume's backup went: the PersistentVolume's annotations and an Event on the claim. */
export interface Recorder {
  /**
   * Marks a proven backup. `claim-gone` where the PersistentVolume no longer belongs to the claim that was backed up.
   * @throws CephbackupError PV_NOT_MARKED
   */
  succeeded(
    volume: PlannedVolume,
    backup: { time: EpochMs; attempt: EpochMs; snapshot: string },
  ): Promise<'marked' | 'claim-gone'>;
  /** Never throws: the failure itself is reported anyway. */
  failed(volume: PlannedVolume, failure: { attempt: EpochMs; error: CephbackupError }): Promise<void>;
  /** Whether the claim that was planned is gone, or its volume belongs to another. @throws CephbackupError KUBE_… */
  isGone(volume: PlannedVolume): Promise<boolean>;
}
