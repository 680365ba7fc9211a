import { CephbackupError } from '../../errors/error.js';
import type { ErrorCode } from '../../errors/catalogue.js';
import { unlimitedMs } from '../../waiting/deadline.js';

/** How a command came to its end. */
export type Ending =
  | { how: 'exited'; exitCode: number }
  /** By a signal that was not ours. */
  | { how: 'killed'; signal: string }
  | { how: 'unstartable' }
  /** Stopped by this program: why. */
  | { how: StopCause; exitCode: number | null }
  /**
   * Not even SIGKILL brought its end: it waits in the kernel, or (`outlived`) it is gone, and what it has started in
   * another process group holds its output open.
   */
  | { how: 'stuck'; outlived: boolean };

/** `late`: its time was over · `silent`: it said nothing for too long · `enough`: the caller has seen enough · `overflowed`: it printed too much. */
export type StopCause = 'late' | 'silent' | 'aborted' | 'enough' | 'overflowed';

/** A command that came to no exit code that anybody could read. */
export class CommandFailure extends CephbackupError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly ending: Ending,
    /** The last 64 KiB, without secrets. */
    readonly stderr: string,
  ) {
    super(code, message);
  }
}

/** How long a process may take to vanish after SIGKILL before it counts as stuck in the kernel. */
const stuckAfterMs = 5_000;

/** What this module uses of execa's subprocess. */
interface Child {
  readonly pid?: number;
  /** Null until it has ended by itself. */
  readonly exitCode: number | null;
  /** Null until it was ended by a signal. */
  readonly signalCode: string | null;
}

/** Ends a process group: at the deadline, on abort, or because the caller has seen enough. */
export class Stopper {
  #cause: StopCause | null = null;
  readonly #timers: NodeJS.Timeout[] = [];
  #over = false;
  #declareStuck: () => void = () => undefined;

  constructor(
    private readonly child: Child,
    /** Settles when it has ended, and all of its output has come. */
    private readonly end: PromiseLike<{ exitCode?: number; signal?: string }>,
    private readonly killGraceMs: number,
  ) {}

  async supervise(deadlineMs: number, signal: AbortSignal | undefined, finishMs = 0): Promise<Ending> {
    const stuck = new Promise<Ending>((resolve) => {
      this.#declareStuck = () => {
        const { exitCode, signalCode } = this.child;
        resolve({ how: 'stuck', outlived: exitCode !== null || signalCode !== null });
      };
    });
    const end = () => {
      this.stop('aborted', 'SIGTERM');
    };
    const onAbort = () => {
      if (finishMs === 0) end();
      else this.#after(finishMs, end);
    };
    this.#after(deadlineMs, () => {
      this.stop('late', 'SIGTERM');
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([this.#ended(), stuck]);
    } finally {
      // From here on the process group's number may be somebody else's.
      this.#over = true;
      signal?.removeEventListener('abort', onAbort);
      for (const timer of this.#timers) clearTimeout(timer);
      // What the command itself started and left behind in its group has no owner any more.
      if (this.#cause !== null) this.#kill('SIGKILL');
    }
  }

  watchSilence(streams: readonly NodeJS.ReadableStream[], milliseconds: number): void {
    const timer = setTimeout(() => {
      this.stop('silent', 'SIGTERM');
    }, milliseconds);
    this.#timers.push(timer);
    for (const stream of streams) stream.on('data', () => timer.refresh());
  }

  stop(cause: StopCause, first: 'SIGTERM' | 'SIGINT'): void {
    if (this.#cause !== null || this.#over) return;
    this.#cause = cause;
    this.#kill(first);
    this.#after(this.killGraceMs, () => {
      this.#kill('SIGKILL');
      this.#after(stuckAfterMs, this.#declareStuck);
    });
  }

  async #ended(): Promise<Ending> {
    const { exitCode = null, signal = null } = await this.end;
    if (this.#cause !== null) return { how: this.#cause, exitCode };
    if (exitCode !== null) return { how: 'exited', exitCode };
    return signal === null ? { how: 'unstartable' } : { how: 'killed', signal };
  }

  #after(milliseconds: number, action: () => void): void {
    this.#timers.push(setTimeout(action, Math.min(milliseconds, unlimitedMs)));
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group has ended already.
    }
  }
}
