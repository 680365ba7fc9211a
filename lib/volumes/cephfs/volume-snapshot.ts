import { CephbackupError } from '../../errors/error.js';
import type { Resource } from '../../ownership/scope.js';
import { formatSubvolume } from '../../tools/ceph/fs.js';
import type { CephfsTools } from './driver.js';
import type { VolumeJob } from '../driver.js';
import type { LocatedShare } from './locate.js';
import { removeSnapshotDirectory } from './mounted.js';
import { isUuid } from './place.js';
import type { SharedSnapshot, SharedSnapshots } from './shared-snapshots.js';
import type { SnapshotDirectory } from './snapshots.js';

/** What is shown to restic: a directory within a snapshot. */
export interface Shown {
  snapshot: string;
  /** Relative to `.snap`. */
  directory: string;
}

/**
 * The snapshot that a backup reads: its own, or that of another volume in the same subvolume or directory which is
 * backed up at the same time. The last volume that reads it removes it.
 */
export class VolumeSnapshot {
  readonly #place: string;
  #snapshot: SharedSnapshot | null = null;
  #toRemove: boolean | null = null;

  constructor(
    private readonly tools: CephfsTools,
    private readonly shared: SharedSnapshots,
    private readonly share: LocatedShare,
    private readonly job: VolumeJob,
  ) {
    const { fs, place, cephFs } = share;
    // One that is not shared has a place of its own.
    const owner = job.shares ? null : job.name;
    this.#place = JSON.stringify([cephFs.connection.monitors, fs, place.root, place.by, owner]);
  }

  /** Null as long as nothing was asked for: a snapshot that is there already is not ours. */
  resource(): Resource | null {
    const { fs, place, subvolume, cluster } = this.share;
    if (this.#snapshot?.asked == null) return null;
    const { name } = this.#snapshot;
    const shown =
      place.by === 'manager' && subvolume !== null
        ? `${formatSubvolume(subvolume)}@${name}`
        : `${fs}:${place.root}/.snap/${name}`;
    return { kind: 'snapshot', name: shown, cluster };
  }

  /**
   * @param snapshots of the mounted directory
   * @throws CephbackupError SNAPSHOT_FAILED, SNAPSHOT_IMPOSSIBLE, SNAPSHOT_LIMIT, SUBVOLUME_NOT_FOUND …
   */
  async take(snapshots: SnapshotDirectory): Promise<Shown> {
    const { name, asked } = await this.#join(snapshots);
    if (name !== this.job.name && asked !== null) this.job.pointInTime(asked);
    if (!(await snapshots.list('', { signal: this.job.signal })).includes(name)) {
      throw new CephbackupError(
        'SNAPSHOT_FAILED',
        `the snapshot ${name} was said to be taken, but is not there`,
      );
    }
    return { snapshot: name, directory: await this.#directory(name, snapshots) };
  }

  async #join(snapshots: SnapshotDirectory): Promise<SharedSnapshot> {
    for (;;) {
      const snapshot = this.shared.join(this.#place, this.job.name, (own) => this.#ask(own, snapshots));
      this.#snapshot = snapshot;
      try {
        await snapshot.taken;
        return snapshot;
      } catch (thrown) {
        if (snapshot.name === this.job.name) throw thrown;
        // What ended the other volume need not be in the way of this one.
        this.#snapshot = null;
      }
    }
  }

  async #ask(snapshot: SharedSnapshot, snapshots: SnapshotDirectory): Promise<void> {
    const { name, signal } = this.job;
    const { cephFs, subvolume, place } = this.share;
    // Creating one that exists would succeed, and give the old one.
    if ((await snapshots.list('', { signal })).includes(name)) {
      throw new CephbackupError('SNAPSHOT_FAILED', `a snapshot ${name} of ${place.root} exists already`);
    }
    this.job.step('taking snapshot');
    try {
      snapshot.asked = await this.job.takeSnapshot(async (begin, during) => {
        let [attempts, madeBy] = [0, 0];
        const beforeAttempt = async () => {
          attempts += 1;
          snapshot.asked = begin();
          // The manager says the same whether it has made it or found it; the directory tells.
          const found = attempts > 1 && (await snapshots.list('', { signal: during })).includes(name);
          if (found && madeBy === 0) madeBy = attempts - 1;
        };
        const options = { signal: during, beforeAttempt };
        if (place.by === 'manager' && subvolume !== null)
          await cephFs.createSnapshot(subvolume, name, options);
        else await snapshots.make(name, options);
        return madeBy === 0 ? attempts : madeBy;
      });
    } catch (thrown) {
      // Who may not take a snapshot may not remove one: what is not there need not be.
      const forbidden = thrown instanceof CephbackupError && thrown.code === 'CEPH_FORBIDDEN';
      if (forbidden && !(await snapshots.list('', { signal })).includes(name)) snapshot.asked = null;
      throw thrown;
    }
  }

  /** The claim's directory in the snapshot, relative to `.snap`. */
  async #directory(name: string, snapshots: SnapshotDirectory): Promise<string> {
    const { root, below } = this.share.place;
    const directory = [name, below].filter((part) => part !== '').join('/');
    if (await snapshots.isDirectory(directory, { signal: this.job.signal })) return directory;
    const code = isUuid(below) ? 'SUBVOLUME_NOT_FOUND' : 'DIRECTORY_NOT_FOUND';
    throw new CephbackupError(code, `${root} has no directory ${below}`);
  }

  /**
   * Removes it unless somebody else still reads it: by a client of its own where a client is needed, because the
   * volume's may be what went wrong.
   */
  async remove(): Promise<void> {
    const { cephFs, fs, subvolume, place } = this.share;
    if (this.#snapshot?.asked == null) return;
    const { name } = this.#snapshot;
    // Where the removal fails it is tried again.
    this.#toRemove ??= this.shared.leave(this.#place, this.#snapshot);
    if (!this.#toRemove) return;
    if (place.by === 'manager' && subvolume !== null) await cephFs.removeSnapshot(subvolume, name);
    else await removeSnapshotDirectory(this.tools, { cephFs, fs, root: place.root }, name);
  }
}
