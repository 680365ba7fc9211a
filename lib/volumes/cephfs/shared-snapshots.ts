import type { EpochMs } from '../../log/time.js';
/** A snapshot that is read by all volumes which lie in one directory and are backed up at the same time. */
export interface SharedSnapshot {
  readonly name: string;
  /** Read just before it was asked for; null where it was not, or certainly in vain. */
  asked: EpochMs | null;
  /** Settles when it is there; rejects where it could not be taken. */
  taken: Promise<void>;
  failed: boolean;
  /** Volumes that have not let go of it yet. */
  readers: number;
}

/** The snapshots that exist for the volumes of one run. */
export class SharedSnapshots {
  readonly #current = new Map<string, SharedSnapshot>();

  /**
   * The snapshot of a directory that is there already or on its way, or else a new one. Where `taken` rejects, it is left
   * to the volume that has had it taken; every other volume may join again.
   *
   * @param take called at once, for a new one
   */
  join(directory: string, name: string, take: (snapshot: SharedSnapshot) => Promise<void>): SharedSnapshot {
    const current = this.#current.get(directory);
    if (current !== undefined) {
      current.readers += 1;
      return current;
    }
    const snapshot = { name, asked: null, taken: Promise.resolve(), failed: false, readers: 1 };
    this.#current.set(directory, snapshot);
    snapshot.taken = take(snapshot).catch((thrown: unknown) => {
      snapshot.failed = true;
      this.#forget(directory, snapshot);
      throw thrown;
    });
    return snapshot;
  }

  /** To be called once by each volume. Returns whether that one has to remove it: nobody reads it any more. */
  leave(directory: string, snapshot: SharedSnapshot): boolean {
    if (snapshot.failed) return true;
    snapshot.readers -= 1;
    if (snapshot.readers > 0) return false;
    this.#forget(directory, snapshot);
    return true;
  }

  #forget(directory: string, snapshot: SharedSnapshot): void {
    if (this.#current.get(directory) === snapshot) this.#current.delete(directory);
  }
}
