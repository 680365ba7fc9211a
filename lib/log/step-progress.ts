import { CephbackupError } from '../errors/error.js';
import type { Logger } from './logger.js';

const signOfLifeMs = 30_000;
/** A full pool lets writes wait for ever. */
const patienceMs = 20 * 60_000;

/** Tells how far a restore is, and ends one that does not get on. */
export class StepProgress {
  readonly #stalled = new AbortController();
  readonly #sign: NodeJS.Timeout;
  #watch: NodeJS.Timeout | undefined;
  #text = '';
  #since = 0;
  #bytes = 0;

  constructor(private readonly log: Logger) {
    this.#sign = setInterval(() => {
      const seconds = Math.round((performance.now() - this.#since) / 1000);
      if (this.#text !== '') log.info(`still ${this.#text}`, { seconds, bytes: this.#bytes });
    }, signOfLifeMs);
  }

  /** Aborts when nothing has moved for 20 minutes in a step that moves data. */
  get stalled(): AbortSignal {
    return this.#stalled.signal;
  }

  readonly step = (text: string): void => {
    clearTimeout(this.#watch);
    this.#watch = undefined;
    this.#text = text;
    this.#since = performance.now();
    this.#bytes = 0;
    this.log.info(text);
  };

  readonly moved = (bytes: number): void => {
    this.#bytes += bytes;
    if (this.#watch !== undefined) this.#watch.refresh();
    else this.#watch = setTimeout(this.#stall, patienceMs);
  };

  close(): void {
    clearInterval(this.#sign);
    clearTimeout(this.#watch);
  }

  readonly #stall = (): void => {
    const message = `${this.#text}: nothing has moved for ${patienceMs / 60_000} minutes`;
    const guidance =
      'See whether the pool is full (`ceph df`), Ceph is healthy and the repository can be reached.';
    this.#stalled.abort(new CephbackupError('COMMAND_TIMEOUT', message, { guidance }));
  };
}
