import type { EpochMs } from '../log/time.js';
import type { Hooks } from '../hooks/hooks.js';
import type { Logger } from '../log/logger.js';
import type { PlannedVolume } from '../plan/types.js';

/** Who takes part in a moment, and is told what happens there. */
export interface Participant {
  signal: AbortSignal;
  log: Logger;
  warn: (text: string) => void;
  /** Is told, where applications are held, for how long; also where that fails. */
  held: (seconds: number) => void;
}

/** When a volume's snapshot is taken, and with whose. */
export interface Moment {
  /** UIDs of the claims whose backups have the same point in time. */
  readonly uids: readonly string[];
  /** Whether the volume may read a snapshot that was taken for another volume, at another moment. */
  readonly shares: boolean;
  /** The point in time. `now` is asked by the first one that is about to take a snapshot. */
  time(now: () => EpochMs): number;
  /** Takes the snapshot when the moment has come, while everybody is held who must be. */
  around<T>(participant: Participant, take: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Resolves when what the snapshot holds may be read. */
  turn(): Promise<void>;
}

/** Holds applications, or nobody. */
export interface Holding {
  /** Null: nobody is held. */
  hooks: Hooks | null;
  /** Names of the claims of a namespace that other shards back up. */
  elsewhere: (namespace: string) => ReadonlySet<string>;
}

/** Takes something of these claims, all of one namespace, while the pods that mount them are held. */
export async function whileHeld<T>(
  { hooks, elsewhere }: Holding,
  volumes: readonly PlannedVolume[],
  participant: Participant,
  take: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (hooks === null) return take(participant.signal);
  const namespace = volumes[0]?.namespace ?? '';
  const claims = new Set(volumes.map(({ pvc }) => pvc));
  return hooks.around({ ...participant, namespace, claims, elsewhere: elsewhere(namespace) }, take);
}

/** The moment of a volume that has none in common with others. */
export class OwnMoment implements Moment {
  readonly uids: readonly string[];
  readonly shares: boolean;

  constructor(
    private readonly holding: Holding,
    private readonly volume: PlannedVolume,
  ) {
    this.uids = [volume.uid];
    // A snapshot that was taken for another volume was taken while that one's pods were held.
    this.shares = holding.hooks === null;
  }

  time(now: () => number): number {
    return now();
  }

  around<T>(participant: Participant, take: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return whileHeld(this.holding, [this.volume], participant, take);
  }

  turn(): Promise<void> {
    return Promise.resolve();
  }
}
