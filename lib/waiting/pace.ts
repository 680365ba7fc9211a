import { pause } from './persist.js';

/** Keeps a distance in time between things that others feel. */
export class Pace {
  #next = 0;
  readonly #turns = new Map<string, number>();

  /** @param intervalMs the least from one turn to the next; 0: nobody waits */
  constructor(private readonly intervalMs: number) {}

  /** Resolves when it is the turn of what has this name: whoever asks by one name has one turn. @throws the signal's reason */
  async turn(name: string, signal: AbortSignal): Promise<void> {
    if (this.intervalMs === 0) return;
    const now = performance.now();
    let at = this.#turns.get(name);
    if (at === undefined) {
      at = Math.max(now, this.#next);
      this.#turns.set(name, at);
      this.#next = at + this.intervalMs;
    }
    if (at > now) await pause(at - now, signal);
  }
}
