import { CephbackupError } from '../../errors/error.js';
import type { Logger } from '../logger.js';
import type { Activity } from './activity.js';

/** A full pool lets writes wait for ever. */
const patienceMs = 20 * 60_000;

/** The steps of a restore or a proof: told to the log and to who watches, and ended where nothing moves any more. */
export class Steps {
  readonly #stalled = new AbortController();
  #watch: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: Logger,
    private readonly activity: Activity,
  ) {}

  /** Aborts when nothing has moved for 20 minutes in a step that moves data. */
  get stalled(): AbortSignal {
    return this.#stalled.signal;
  }

  /** @param totalBytes that the step will move, where that is known */
  readonly step = (text: string, totalBytes: number | null = null): void => {
    clearTimeout(this.#watch);
    this.#watch = undefined;
    this.activity.step(text, totalBytes);
    this.log.info(text);
  };

  readonly moved = (bytes: number): void => {
    this.activity.moved(bytes);
    if (this.#watch !== undefined) this.#watch.refresh();
    else this.#watch = setTimeout(this.#stall, patienceMs);
  };

  close(): void {
    clearTimeout(this.#watch);
    this.activity.end();
  }

  readonly #stall = (): void => {
    const message = `${this.activity.text}: nothing has moved for ${patienceMs / 60_000} minutes`;
    const guidance =
      'See whether the pool is full (`ceph df`), Ceph is healthy and the repository can be reached.';
    this.#stalled.abort(new CephbackupError('COMMAND_TIMEOUT', message, { guidance }));
  };
}
