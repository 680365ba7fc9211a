import { setMaxListeners } from 'node:events';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import { unlessAborted } from '../waiting/within.js';
import { whileHeld, type Holding, type Moment, type Participant } from './moment.js';
import type { Slots } from './slots.js';

interface Arrival {
  participant: Participant;
  take: (signal: AbortSignal) => Promise<unknown>;
  settle: (taken: Promise<unknown>) => void;
}

/** What became of each member's snapshot where one could not be taken. */
class NotWhole extends CephbackupError {
  constructor(readonly errors: ReadonlyMap<PlannedVolume, CephbackupError>) {
    super('GROUP_FAILED', 'not every snapshot of the group could be taken');
  }
}

/**
 * One moment for several volumes: when all of them have come so far, everybody is held who must be, and all snapshots
 * are taken at once. As long as one has not come nothing is taken, and where one ends before, the others fail with it.
 */
export class GroupMoment {
  readonly uids: readonly string[];
  readonly #arrivals = new Map<PlannedVolume, Arrival>();
  #time: number | null = null;
  #failure: CephbackupError | null = null;
  #fail: (error: CephbackupError) => void = () => undefined;
  #begin: () => void = () => undefined;
  readonly #begun: Promise<void>;
  #hasBegun = false;
  #end: () => void = () => undefined;
  /** Resolves when all snapshots are taken, or are never going to be. */
  readonly over: Promise<void>;

  constructor(
    private readonly holding: Holding,
    private readonly volumes: readonly PlannedVolume[],
  ) {
    this.uids = volumes.map(({ uid }) => uid);
    this.over = new Promise((resolve) => (this.#end = resolve));
    this.#begun = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#fail = reject;
    });
    this.#begun.catch(() => undefined);
  }

  /** @param slots for what is read afterwards */
  seat(volume: PlannedVolume, slots: Slots): Seat {
    return new Seat(this, volume, slots);
  }

  time(now: () => number): number {
    return (this.#time ??= now());
  }

  /** A member has ended: where the moment has not come yet, it never comes. */
  leave({ namespace, pvc }: PlannedVolume, error: CephbackupError | null): void {
    if (this.#hasBegun || this.#failure !== null) return;
    this.#failure = partnerFailed(`${namespace}/${pvc}`, error);
    this.#fail(this.#failure);
    this.#end();
  }

  async around<T>(
    volume: PlannedVolume,
    participant: Participant,
    take: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#failure !== null) throw this.#failure;
    const taken = new Promise<unknown>((settle) => {
      this.#arrivals.set(volume, { participant, take, settle });
    });
    if (this.#arrivals.size === this.volumes.length) this.#take();
    await unlessAborted(this.#begun, participant.signal);
    // From here on nobody leaves before those who are held are let go.
    return (await taken) as T;
  }

  #take(): void {
    this.#hasBegun = true;
    this.#begin();
    const whole = this.#takeAll();
    for (const [volume, { settle }] of this.#arrivals) {
      settle(
        whole.then(
          (values) => values.get(volume),
          (thrown: unknown) => {
            throw errorFor(volume, thrown);
          },
        ),
      );
    }
    whole.then(this.#end, this.#end);
  }

  async #takeAll(): Promise<Map<PlannedVolume, unknown>> {
    const arrivals = [...this.#arrivals];
    const signal = AbortSignal.any(arrivals.map(([, { participant }]) => participant.signal));
    setMaxListeners(0, signal);
    const [first] = arrivals;
    if (first === undefined) return new Map();
    const { log } = first[1].participant;
    const warn = (text: string) => {
      for (const [, { participant }] of arrivals) participant.warn(text);
    };
    const held = (seconds: number) => {
      for (const [, { participant }] of arrivals) participant.held(seconds);
    };
    return whileHeld(this.holding, this.volumes, { signal, log, warn, held }, async (during) => {
      const settled = await Promise.allSettled(arrivals.map(([, { take }]) => take(during)));
      const errors = new Map<PlannedVolume, CephbackupError>();
      const values = new Map<PlannedVolume, unknown>();
      for (const [index, [volume]] of arrivals.entries()) {
        const end = settled[index];
        if (end?.status === 'fulfilled') values.set(volume, end.value);
        else errors.set(volume, asCephbackupError(end?.reason));
      }
      if (errors.size > 0) throw new NotWhole(errors);
      return values;
    });
  }
}

function errorFor(volume: PlannedVolume, thrown: unknown): CephbackupError {
  if (!(thrown instanceof NotWhole)) return asCephbackupError(thrown);
  const own = thrown.errors.get(volume);
  if (own !== undefined) return own;
  const [[{ namespace, pvc }, error] = [volume, null]] = thrown.errors;
  return partnerFailed(`${namespace}/${pvc}`, error);
}

function partnerFailed(claim: string, cause: CephbackupError | null): CephbackupError {
  const why = cause === null ? '' : `: ${cause.message}`;
  return new CephbackupError('GROUP_FAILED', `${claim} of the same group could not be snapshotted${why}`, {
    cause,
  });
}

/** One volume's place in the moment of its group. */
export class Seat implements Moment {
  readonly shares = false;
  #giveBack: () => void = () => undefined;
  #left = false;

  constructor(
    private readonly group: GroupMoment,
    private readonly volume: PlannedVolume,
    private readonly slots: Slots,
  ) {}

  get uids(): readonly string[] {
    return this.group.uids;
  }

  time(now: () => number): number {
    return this.group.time(now);
  }

  around<T>(participant: Participant, take: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.group.around(this.volume, participant, take);
  }

  /** Before those who have not begun: snapshots should not live longer than they must. */
  async turn(): Promise<void> {
    const giveBack = await this.slots.acquire(true);
    // Who was stopped while it waited has no use for it.
    if (this.#left) giveBack();
    else this.#giveBack = giveBack;
  }

  /** The volume is read: another may be. */
  rest(): void {
    this.#giveBack();
  }

  leave(error: CephbackupError | null): void {
    this.#left = true;
    this.group.leave(this.volume, error);
    this.#giveBack();
  }
}
