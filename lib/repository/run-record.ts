import type { EpochMs } from '../log/time.js';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { Restic, ResticSnapshot } from '../tools/restic/restic.js';
import { judge, proofNote, proofsFile, proofsHost, proofTags, type Marks } from './proofs.js';
import { saveText } from './save-text.js';

/** A run's account of its proofs, which is saved in the repository for all who have its password. */
export interface ProofNotes {
  /** This snapshot was proven. */
  proven: (snapshot: { id: string; tree: string }) => void;
  /** restic saved this snapshot, and it is no backup. */
  unproven: (id: string) => void;
}

/** As many as the arguments of one command can hold with room to spare: Linux takes 2 MiB, a note has 92 bytes. */
const mostNotes = 10_000;

export class ProofRecord implements ProofNotes {
  #notes: string[] = [];

  constructor(
    private readonly restic: Restic,
    private readonly cluster: string,
    private readonly clock: () => EpochMs,
  ) {}

  /**
   * Records what only the marks tell so far: proofs of a run that was killed, and what a release without a record left
   * behind unproven.
   */
  adopt(snapshots: readonly ResticSnapshot[], marks: Marks): void {
    const [recorded, known] = [judge(snapshots, null), judge(snapshots, marks)];
    for (const snapshot of snapshots) {
      const proof = known(snapshot);
      if (proof === recorded(snapshot)) continue;
      if (proof === 'proven' || proof === 'unproven') this.#notes.push(proofNote(proof, snapshot));
    }
  }

  proven = (snapshot: { id: string; tree: string }): void => {
    this.#notes.push(proofNote('proven', snapshot));
  };

  unproven = (id: string): void => {
    this.#notes.push(proofNote('unproven', { id, tree: '0'.repeat(16) }));
  };

  /** Saves what is not saved yet; returns what kept it from being saved. Never throws. */
  async save(signal: AbortSignal): Promise<CephbackupError | null> {
    try {
      while (this.#notes.length > 0) {
        const notes = this.#notes.slice(0, mostNotes);
        await this.#put(notes, signal);
        this.#notes = this.#notes.slice(notes.length);
      }
      return null;
    } catch (thrown) {
      const cause = asCephbackupError(thrown);
      const message = `the record of what was proven could not be saved: ${cause.message}`;
      return new CephbackupError('PROOFS_NOT_SAVED', message, { cause });
    }
  }

  #put(notes: readonly string[], signal: AbortSignal): Promise<string> {
    const text = notes.map((note) => `${note}\n`).join('');
    const about = { host: proofsHost, tags: proofTags(this.cluster), filename: proofsFile };
    return saveText(this.restic, { ...about, text, notes, time: this.clock() }, signal);
  }
}
