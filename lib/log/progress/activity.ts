import { formatBytes } from '../quantity.js';

/** How far a step is, from its beginning. */
export interface Reached {
  bytes: number;
  files?: number;
  /** Of the whole step; null where it is not known. */
  totalBytes?: number | null;
}

/** One thing that is being worked on, for whoever watches: a volume's backup, a restore, the command as a whole. */
export class Activity {
  text = '';
  #since = 0;
  #reached: Required<Reached> = nothing;

  /** @param now a monotonic clock, milliseconds */
  constructor(
    readonly name: string,
    private readonly onEnd: (ended: Activity) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#since = now();
  }

  /** Another step begins. @param totalBytes that it will move, where that is known */
  step(text: string, totalBytes: number | null = null): void {
    this.text = text;
    this.#since = this.now();
    this.#reached = { ...nothing, totalBytes };
  }

  /** So many more bytes were moved in this step. */
  moved(bytes: number): void {
    this.#reached = { ...this.#reached, bytes: this.#reached.bytes + bytes };
  }

  /** This is how far the step is; what is not given stays as it was. */
  reached(reached: Reached): void {
    this.#reached = { ...this.#reached, ...reached };
  }

  end(): void {
    this.onEnd(this);
  }

  /** Whole seconds since the step began. */
  get seconds(): number {
    return Math.round((this.now() - this.#since) / 1000);
  }

  /** The same as fields of a line of the log; what is not known is left out. */
  fields(): Record<string, number> {
    const { bytes, files, totalBytes } = this.#reached;
    const { bytesPerSecond, secondsLeft } = this.#rate();
    const known = { bytes, totalBytes, files, bytesPerSecond, secondsLeft };
    const told = Object.entries(known).filter((entry): entry is [string, number] => (entry[1] ?? 0) > 0);
    return { seconds: this.seconds, ...Object.fromEntries(told) };
  }

  /** As it is shown on a terminal: what, for how long, how much of how much, how fast, how long still. */
  line(): string {
    const { bytes, files, totalBytes } = this.#reached;
    const { bytesPerSecond, secondsLeft } = this.#rate();
    const parts = [
      files > 0 ? `${files} files` : '',
      bytes > 0 ? `${formatBytes(bytes)}${totalBytes === null ? '' : ` of ${formatBytes(totalBytes)}`}` : '',
      bytesPerSecond === null ? '' : `${formatBytes(bytesPerSecond)}/s`,
      secondsLeft === null ? '' : `${formatSeconds(secondsLeft)} left`,
    ].filter((part) => part !== '');
    return [this.name, `${this.text} (${formatSeconds(this.seconds)})`, parts.join(', ')]
      .filter((part) => part !== '')
      .join('  ');
  }

  /** Over the whole step: what moves in bursts would jump otherwise. */
  #rate(): { bytesPerSecond: number | null; secondsLeft: number | null } {
    const { bytes, totalBytes } = this.#reached;
    const seconds = (this.now() - this.#since) / 1000;
    if (bytes === 0 || seconds < leastSeconds) return { bytesPerSecond: null, secondsLeft: null };
    const bytesPerSecond = Math.round(bytes / seconds);
    // More than all is moved where a total is an estimate; then nobody knows what is left.
    const left = totalBytes === null || totalBytes < bytes ? null : totalBytes - bytes;
    return {
      bytesPerSecond,
      secondsLeft: left === null || bytesPerSecond === 0 ? null : Math.ceil(left / bytesPerSecond),
    };
  }
}

const nothing: Required<Reached> = { bytes: 0, files: 0, totalBytes: null };
/** Before, a rate says more about the beginning than about the step. */
const leastSeconds = 2;

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
