import { asCephbackupError, CephbackupError } from '../../errors/error.js';
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
  /** The directory of the mount that has the snapshot; empty for the mount itself. */
  of: string;
  /** Relative to its `.snap`. */
  directory: string;
}

/** What is shown, as a path from the root of the mount. */
export function pathOf({ of, directory }: Shown): string {
  return of === '' ? `/.snap/${directory}` : `/${of}/.snap/${directory}`;
}

/**
 * The snapshot that a backup reads: its own, or that of another volume in the same subvolume or directory which is
 * backed up at the same time. The last volume that reads it removes it.
 */
export class VolumeSnapshot {
  readonly #place: string;
  #snapshot: SharedSnapshot | null = null;
  #toRemove: boolean | null = null;
  /** Where the moment is given up, the command may still be at work. */
  #making: Promise<unknown> = Promise.resolve();

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
    const of = await this.#holder(name, snapshots);
    if (of === null) {
      const message = `the snapshot ${name} was said to be taken, but is not there`;
      throw new CephbackupError('SNAPSHOT_FAILED', message);
    }
    return { snapshot: name, of, directory: await this.#directory(name, of, snapshots) };
  }

  /**
   * The directory of the mount that has the snapshot, or null: the mount itself, or the data of a subvolume of version 1, which
   * Ceph never upgrades where it has had snapshots [pybind/mgr/volumes/fs/operations/versions/subvolume_v1.py].
   */
  async #holder(
    name: string,
    snapshots: SnapshotDirectory,
    signal = this.job.signal,
  ): Promise<string | null> {
    if ((await snapshots.list('', { signal })).includes(name)) return '';
    const [data = ''] = this.share.place.below.split('/');
    const inData = isUuid(data) && (await snapshots.list('', { signal }, data)).includes(name);
    return inData ? data : null;
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
    if ((await snapshots.list('', { signal }).catch(notListed)).includes(name)) {
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
          const found = attempts > 1 && (await this.#holder(name, snapshots, during)) !== null;
          if (found && madeBy === 0) madeBy = attempts - 1;
        };
        const options = { signal: during, beforeAttempt };
        const made =
          place.by === 'manager' && subvolume !== null
            ? cephFs.createSnapshot(subvolume, name, options)
            : snapshots.make(name, options);
        this.#making = made.catch(() => undefined);
        await made;
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
  async #directory(name: string, of: string, snapshots: SnapshotDirectory): Promise<string> {
    const { root, below } = this.share.place;
    const inside = of === '' ? below : below.slice(of.length + 1);
    const directory = [name, inside].filter((part) => part !== '').join('/');
    if (await snapshots.isDirectory(directory, { signal: this.job.signal }, of)) return directory;
    const code = isUuid(below) ? 'SUBVOLUME_NOT_FOUND' : 'DIRECTORY_NOT_FOUND';
    throw new CephbackupError(code, `${root} has no directory ${below}`);
  }

  /**
   * Removes it unless somebody else still reads it: by a client of its own where a client is needed, because the
   * volume's may be what went wrong.
   */
  async remove(): Promise<void> {
    const { cephFs, fs, subvolume, place, kernelOptions } = this.share;
    if (this.#snapshot?.asked == null) return;
    const { name } = this.#snapshot;
    await this.#making;
    // Where the removal fails it is tried again.
    this.#toRemove ??= this.shared.leave(this.#place, this.#snapshot);
    if (!this.#toRemove) return;
    if (place.by === 'manager' && subvolume !== null) await cephFs.removeSnapshot(subvolume, name);
    else await removeSnapshotDirectory(this.tools, { cephFs, fs, root: place.root, kernelOptions }, name);
  }
}

/** Without a list it is not known whether the snapshot exists already: none can be taken. */
function notListed(thrown: unknown): never {
  const { code, message } = asCephbackupError(thrown);
  if (code !== 'COMMAND_OUTPUT_INVALID') throw thrown;
  throw new CephbackupError('SNAPSHOT_FAILED', message, { cause: thrown });
}
