import type { EpochMs } from '../../log/time.js';
import type { Logger } from '../../log/logger.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { ExcludeRules } from '../../repository/excludes.js';
import type { History } from '../../repository/history.js';
import type { GroupReader } from '../../repository/read-back.js';
import type { ProofNotes } from '../../repository/run-record.js';
import type { Exec } from '../../tools/process/exec.js';
import type { Restic } from '../../tools/restic/restic.js';
import type { VolumeDriver } from '../../volumes/driver.js';
import type { ProgressView } from '../../log/progress/view.js';
import type { Pace } from '../../waiting/pace.js';
import type { Recorder } from '../recorder.js';

/** What the backup of every volume of a run uses. */
export interface VolumeTools {
  exec: Exec;
  restic: Restic;
  /** Reads back what was saved, of several volumes at once. */
  readBack: GroupReader;
  /**
   * What the repository held when the run began. Volumes are prepared while it is being opened; rejects where it cannot
   * be used, and then no volume was attempted.
   */
  history: Promise<History>;
  recorder: Recorder;
  proofs: ProofNotes;
  /** Between one moment at which snapshots are taken and the next. */
  pace: Pace;
  driverFor: (volume: PlannedVolume) => VolumeDriver;
  /** The tag `cluster=` of all snapshots. */
  clusterName: string;
  node: string;
  /** Null: no limit. */
  volumeTimeoutMs: number | null;
  /** The snapshot that is marked on a volume's PersistentVolume as a proven backup of its claim. */
  markedSnapshot: (volume: PlannedVolume) => string | null;
  /** When a run last tried to back a volume up; null where that is not known. */
  lastAttempt: (volume: PlannedVolume) => EpochMs | null;
  /** Whether that failed. */
  failedLast: (volume: PlannedVolume) => boolean;
  /** How often files are read whatever their times say; 0: never. */
  fullEveryMs: number;
  /** What is done where a filesystem cannot be mended. */
  onCorrupt: 'fail' | 'image';
  /** What the options leave out of every filesystem. */
  exclude: Omit<ExcludeRules, 'patterns'>;
  /** A folder for temporary files. */
  temporary: string;
  clock: () => EpochMs;
  log: Logger;
  progress: ProgressView;
  /** Before a volume is touched: what its backup needs beside its bytes. Throws where that cannot be had. */
  readKey: (volume: PlannedVolume, signal: AbortSignal) => Promise<void>;
  /**
   * Resolves when restic may save: from then on what is saved and never recorded is known to be no backup, also if
   * this run is killed, unless the manifests cannot be saved. Rejects as `history`.
   */
  maySave: Promise<void>;
  /**
   * Resolves when a volume may be marked: what its mark relies on is in the repository. Never rejects.
   * @param imageSize of the snapshot, in bytes; null where the size is of no use
   * @param time of the backup
   */
  mayMark: (volume: PlannedVolume, imageSize: number | null, time: EpochMs) => Promise<void>;
}
