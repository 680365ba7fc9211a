import pLimit from 'p-limit';
import type { CommandOptions } from '../tools/process/exec.js';
import type { Restic } from '../tools/restic/restic.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';

/** What reads a snapshot back from the repository itself. */
export type SnapshotReader = Pick<Restic, 'catSnapshot'>;
type RepositoryReader = Pick<Restic, 'catSnapshot' | 'readSnapshots'>;

interface Asked {
  id: string;
  options: Partial<CommandOptions> | undefined;
  settle: (snapshot: Promise<ResticSnapshot>) => void;
}

/** How long a snapshot waits for others to be read with it. */
const windowMs = 5_000;
/** One argument has 65 bytes; far fewer snapshots than this come within the window. */
const most = 1_000;
/** So many are read at a time where they are read one by one. */
const width = 4;

/**
 * Reads snapshots back from the repository, many with one restic, which takes half a second before it reads anything:
 * those that are asked for while others are read, or within a short time, are read together, as databases commit in
 * groups. Where nobody else is expected, nothing is waited for.
 */
export class GroupReader {
  readonly #expected = new Set<string>();
  #asked: Asked[] = [];
  #reading = false;
  #timer: NodeJS.Timeout | null = null;
  readonly #one = pLimit(width);

  constructor(
    private readonly restic: RepositoryReader,
    private readonly waitMs = windowMs,
  ) {}

  /** Whose snapshots are still to come, as far as is known. */
  expect(names: Iterable<string>): void {
    for (const name of names) this.#expected.add(name);
  }

  /** Nothing more comes from there. */
  settled(name: string): void {
    if (this.#expected.delete(name)) this.#readUnlessMoreComes();
  }

  /** Reads the one snapshot that was expected from there; `catSnapshot` is asked as Restic's own. */
  readerFor(name: string): SnapshotReader {
    return {
      catSnapshot: (id, options) => {
        this.#expected.delete(name);
        const read = new Promise<ResticSnapshot>((settle) => {
          this.#asked.push({ id, options, settle });
        });
        this.#readUnlessMoreComes();
        return read;
      },
    };
  }

  #readUnlessMoreComes(): void {
    if (this.#reading || this.#asked.length === 0) return;
    if (this.#expected.size === 0 || this.#asked.length >= most) this.#read();
    else
      this.#timer ??= setTimeout(() => {
        this.#read();
      }, this.waitMs);
  }

  #read(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const [group, rest] = [this.#asked.slice(0, most), this.#asked.slice(most)];
    this.#asked = rest;
    this.#reading = true;
    const together = this.#together(group);
    const reads = group.map(({ id, options, settle }) => {
      // One that is not among them, or all where none could be read: each by itself, so that it says why.
      const read = together.then(
        (found) => found.get(id) ?? this.#one(() => this.restic.catSnapshot(id, options)),
      );
      settle(read);
      return read;
    });
    void Promise.allSettled(reads).then(() => {
      this.#reading = false;
      this.#readUnlessMoreComes();
    });
  }

  /** Never rejects. */
  async #together(group: readonly Asked[]): Promise<ReadonlyMap<string, ResticSnapshot>> {
    const [first, second] = group;
    if (first === undefined || second === undefined) return new Map();
    try {
      const ids = group.map(({ id }) => id);
      return new Map((await this.restic.readSnapshots(ids, first.options)).map((found) => [found.id, found]));
    } catch {
      return new Map();
    }
  }
}
