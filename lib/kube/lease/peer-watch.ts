import type { Clock } from '../clock.js';
import type { LeaseRecord } from './record.js';

/** Tells which other members of a run have died: those that have not renewed for the lease's duration by our clock. */
export class PeerWatch {
  readonly #seen = new Map<string, { renewed: string; since: number }>();

  constructor(
    private readonly self: string,
    private readonly durationMs: number,
    private readonly clock: Clock,
  ) {}

  observe({ members }: LeaseRecord): void {
    const now = this.clock.monotonic();
    for (const [id, { renewed }] of Object.entries(members)) {
      if (this.#seen.get(id)?.renewed !== renewed) this.#seen.set(id, { renewed, since: now });
    }
  }

  dead(): Set<string> {
    const now = this.clock.monotonic();
    const silent = [...this.#seen].filter(
      ([id, { since }]) => id !== this.self && now - since >= this.durationMs,
    );
    return new Set(silent.map(([id]) => id));
  }
}
