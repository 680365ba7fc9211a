import type { EpochMs } from '../log/time.js';
import type { PlannedVolume } from '../plan/types.js';
import { printable, type Logger } from '../log/logger.js';
import type { Leftover, Scope } from '../ownership/scope.js';
import type { BackupSource, StreamSource } from '../repository/source.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';

/** One volume's backup while it is in progress. */
export interface VolumeJob {
  volume: PlannedVolume;
  /** The name of the snapshot and the clone: `cephbackup-<installation>-<run>-<n>`. */
  name: string;
  /** Everything that is acquired goes in here, before it is acquired. */
  scope: Scope;
  signal: AbortSignal;
  log: Logger;
  /** Says what is being done now, for the log and the live view. */
  step(text: string): void;
  /** Something the user should know although the backup goes on. */
  warn(text: string): void;
  /**
   * To be called just before the Ceph snapshot is asked for: fixes the backup's point in time, and returns it by this
   * program's clock. `asked` is for a snapshot that was asked for earlier, for another volume.
   */
  pointInTime(asked?: EpochMs): EpochMs;
  /**
   * Asks for the Ceph snapshot, and fixes the point in time: the clock as it was read before the attempt that made it.
   * What must stand still while the snapshot is taken stands still while `ask` runs, and other volumes of the group take
   * theirs.
   *
   * @param ask calls `begin` before each attempt, and returns which one has made the snapshot, from 1; `during` is aborted
   *   also where applications would be held for too long
   * @returns the point in time, by this program's clock
   */
  takeSnapshot(ask: (begin: () => number, during: AbortSignal) => Promise<number>): Promise<number>;
  /** Whether a snapshot may be read that was taken for another volume. */
  shares: boolean;
  /** Whether the run before failed to back the volume up. */
  failedLast: boolean;
  /** The proven backup that restic will be given as parent, if any; rejects where the repository cannot be used. */
  parent(): Promise<ResticSnapshot | null>;
}

/** Says which options of the volume's own mounts are not used for its backup. */
export function tellRefused({ volume, log }: Pick<VolumeJob, 'volume' | 'log'>): void {
  const refused = volume.details?.clientOptions.refused ?? [];
  if (refused.length === 0) return;
  log.info(`options of the PersistentVolume that a backup does not use: ${printable(refused.join(', '))}`);
}

/** One per kind of volume. */
export interface VolumeDriver {
  /**
   * Makes a point in time of the volume readable. Acquires through `job.scope`; releases nothing itself.
   * @throws CephbackupError of kind `failed` where this volume cannot be backed up.
   */
  prepare(job: VolumeJob): Promise<BackupSource>;
  /**
   * The bytes of the snapshot that `prepare` took, whether or not it came to its end; there is none where the volume is no
   * image with a filesystem.
   * @throws CephbackupError also where no snapshot was taken
   */
  image?(job: VolumeJob): Promise<StreamSource>;
}

/** What a sweep found of earlier runs, and what became of it. */
export interface SweepReport {
  removed: Omit<Leftover, 'node' | 'reason'>[];
  leftovers: Leftover[];
  /** Objects with the prefix of another installation: seen, never touched. */
  foreign: Omit<Leftover, 'node' | 'reason'>[];
  /** Places that could not be searched. */
  problems: string[];
}

/** Finds what earlier runs of an installation left in the places of one storage kind, and removes it. */
export interface Sweeper {
  sweep(request: SweepRequest): Promise<SweepReport>;
  /**
   * Which of these names still exist although their volumes are done: a command that says it removed something is not
   * believed.
   */
  audit(request: AuditRequest): Promise<AuditReport>;
}

export interface AuditReport {
  leftovers: Leftover[];
  /** Places that could not be searched. */
  problems: string[];
}

export interface AuditRequest {
  /** Names of snapshots and clones that this run used. */
  names: ReadonlySet<string>;
  volumes: readonly PlannedVolume[];
  signal: AbortSignal;
}

export interface SweepRequest {
  /** First 8 hex digits; only names `cephbackup-<installation>-…` are touched. */
  installation: string;
  /** Runs that hold the lease: theirs is never touched. */
  liveRuns: ReadonlySet<string>;
  /** The volumes that are known: where to look. */
  volumes: readonly PlannedVolume[];
  /** All claims of the cluster, also those that the run's options leave out; judged as if `--opt-in` were not given. */
  everyClaim: readonly PlannedVolume[];
  /** Only what is on this node: another member of the run looks into Ceph. */
  nodeOnly: boolean;
  /** Looks everywhere, image by image, instead of only where leftovers are likely. */
  thorough: boolean;
  dryRun: boolean;
  /** Which bases go, beside those of images that are in the trash, or not backed up any more. */
  bases: 'keep' | 'remove-selected' | 'remove-all';
  signal: AbortSignal;
  log: Logger;
}
