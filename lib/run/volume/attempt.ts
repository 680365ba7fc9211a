import type { Logger } from '../../log/logger.js';
import type { Activity } from '../../log/progress/activity.js';
import type { EpochMs } from '../../log/time.js';
import { Scope, type Leftover } from '../../ownership/scope.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { FutureBase } from '../../repository/source.js';
import type { Moment } from '../moment.js';
import type { VolumeEnd } from '../report.js';
import type { VolumeTools } from './tools.js';

/** Who is told how far an attempt is; each may be told again. */
export interface Over {
  /** The volume is read: what is left to do neither reads it nor takes a processor. */
  read(): void;
  /** All that was acquired is released, and nothing stays in Ceph that is neither a leftover nor a base. */
  unwound(): void;
}

/** One attempt to back up one volume: what the steps share, and what they have noted so far. */
export class Attempt {
  readonly log: Logger;
  /** For whoever watches. */
  readonly activity: Activity;
  readonly warnings: string[] = [];
  readonly scope: Scope;
  readonly began: EpochMs;
  /** The backup's point in time. */
  time: EpochMs;
  /** Snapshots that restic has saved and that are no backups. */
  readonly strays: Leftover[] = [];
  heldSeconds: number | null = null;
  /** What the backup leaves out, in words. */
  excludes: string[] = [];
  /** A snapshot that unwinding leaves, until it is kept as a base or removed. */
  futureBase: FutureBase | null = null;
  #snapshotAsked: number | null = null;
  #unwound: number | null = null;

  constructor(
    readonly tools: VolumeTools,
    readonly volume: PlannedVolume,
    /** Of the snapshot and the clone. */
    readonly name: string,
    readonly moment: Moment,
    private readonly over: Over,
  ) {
    const claim = `${volume.namespace}/${volume.pvc}`;
    this.log = tools.log.with({ volume: claim });
    this.activity = tools.progress.begin(claim);
    this.scope = new Scope(tools.node, this.log);
    this.began = tools.clock();
    this.time = this.began;
  }

  step(text: string): void {
    this.log.info(text);
    this.activity.step(text);
  }

  warn(text: string): void {
    this.warnings.push(text);
    this.log.warn(text);
  }

  /** The snapshot is asked for now, or was for another volume: from here on the seconds count. */
  snapshotAsked(time: EpochMs): void {
    this.time = time;
    this.#snapshotAsked ??= performance.now();
  }

  /** From the snapshot until what was acquired is released, to a millisecond. */
  seconds(): number {
    if (this.#snapshotAsked === null) return 0;
    return Math.round((this.#unwound ?? performance.now()) - this.#snapshotAsked) / 1000;
  }

  /** restic has saved this snapshot, and it is no backup. */
  stray(id: string, reason: string): void {
    if (this.strays.some(({ name }) => name === id)) return;
    const { node, proofs, clusterName } = this.tools;
    proofs.unproven(id);
    this.strays.push({ kind: 'restic-snapshot', name: id, cluster: clusterName, node, reason });
  }

  /** Releases what was acquired; calling it again tries again what was left. */
  async unwind(): Promise<Leftover[]> {
    const left = await this.scope.release();
    // A later call that found nothing more to release is not what ended it.
    if (left.length > 0) this.#unwound = performance.now();
    else this.#unwound ??= performance.now();
    if (left.length === 0) {
      this.over.read();
      if (this.futureBase === null) this.over.unwound();
    }
    return left;
  }

  /** What could not be released is kept for another try. */
  ended(end: VolumeEnd): VolumeEnd {
    return end.leftovers.some(({ kind }) => kind !== 'restic-snapshot')
      ? { ...end, unreleased: this.scope }
      : end;
  }
}
