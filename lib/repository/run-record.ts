import type { EpochMs } from '../log/time.js';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { Restic } from '../tools/restic/restic.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';
import { proofNote, proofsFile, proofsHost, proofTags, type ClusterRecord } from './proofs.js';
import { saveText } from './save-text.js';

/** A run's account of its proofs, which is saved in the repository for all who have its password. */
export interface ProofNotes {
  /** This snapshot was proven. */
  proven: (snapshot: { id: string; tree: string }) => void;
  /** This one holds all bytes of a volume whose files could not be backed up. */
  image: (snapshot: { id: string; tree: string }) => void;
  /** restic saved this snapshot, and it is no backup. */
  unproven: (id: string) => void;
}

/** As many as the arguments of one command can hold with room to spare: Linux takes 2 MiB, a note has 92 bytes. */
const mostNotes = 10_000;

/** A run of a day that is killed in its last hour has lost no more than this, where there is no API to ask for marks. */
const intervalMs = 600_000;
/** For a record that is saved while the run goes on; the last one waits for it. */
const patienceMs = 60_000;

export class ProofRecord implements ProofNotes {
  #notes: string[] = [];
  #saved: Promise<CephbackupError | null> = Promise.resolve(null);
  #savedAt: number;

  constructor(
    private readonly restic: Restic,
    private readonly cluster: string,
    private readonly clock: () => EpochMs,
  ) {
    this.#savedAt = clock();
  }

  /**
   * Records what only the marks tell so far: proofs of a run that was killed, and what a release without a record left
   * behind unproven.
   */
  adopt(own: readonly ResticSnapshot[], record: ClusterRecord): void {
    const present = new Set(own.map(({ id }) => id));
    for (const snapshot of own) {
      const proof = record.judge(snapshot);
      if (proof === record.judgeUnmarked(snapshot)) continue;
      if (proof !== 'proven' && proof !== 'unproven') continue;
      // A copy is told of by the id that its copies will have, too: restic keeps the first one.
      const { id, original, tree } = snapshot;
      const first = original !== undefined && !present.has(original) ? original : id;
      this.#notes.push(proofNote(proof, { id: first, tree }));
    }
  }

  proven = (snapshot: { id: string; tree: string }): void => {
    this.#note(proofNote('proven', snapshot));
  };

  image = (snapshot: { id: string; tree: string }): void => {
    this.#note(proofNote('image', snapshot));
  };

  unproven = (id: string): void => {
    this.#note(proofNote('unproven', { id, tree: '0'.repeat(16) }));
  };

  #note(note: string): void {
    this.#notes.push(note);
    if (this.clock() - this.#savedAt < intervalMs) return;
    this.#savedAt = this.clock();
    // What fails now is tried again by the next one.
    void this.save(AbortSignal.timeout(patienceMs));
  }

  /** Saves what is not saved yet, after what is being saved; returns what kept it from being saved. Never throws. */
  save(signal: AbortSignal): Promise<CephbackupError | null> {
    this.#saved = this.#saved.then(() => this.#saveAll(signal));
    return this.#saved;
  }

  async #saveAll(signal: AbortSignal): Promise<CephbackupError | null> {
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
