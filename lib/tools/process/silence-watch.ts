import { Worker, isMainThread, workerData } from 'node:worker_threads';

/** What both threads see: how often something came, whether it is waited for, whether the command was ended. */
const [count, waiting, ended, length] = [0, 1, 2, 3];

interface Watched {
  cells: SharedArrayBuffer;
  pid: number;
  silenceMs: number;
}

/**
 * Ends a command that is silent for too long while its reader waits in a blocking read: only another thread can. What
 * the reader does meanwhile, such as writing to a slow repository, is no silence.
 */
export class SilenceWatch {
  readonly #cells = new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
  readonly #worker: Worker;

  constructor(pid: number, silenceMs: number) {
    const data: Watched = { cells: this.#cells.buffer, pid, silenceMs };
    this.#worker = new Worker(new URL(import.meta.url), {
      workerData: data,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
    });
    this.#worker.unref();
  }

  /** Whether it ended the command. */
  get ended(): boolean {
    return Atomics.load(this.#cells, ended) === 1;
  }

  /** Around each read. */
  reads<T>(read: () => T): T {
    Atomics.store(this.#cells, waiting, 1);
    try {
      return read();
    } finally {
      Atomics.add(this.#cells, count, 1);
      Atomics.store(this.#cells, waiting, 0);
    }
  }

  stop(): void {
    void this.#worker.terminate();
  }
}

/** Looks a few times in the span that it watches for, and never measures: nothing is to be had from being exact. */
const looks = 8;

function watch({ cells: buffer, pid, silenceMs }: Watched): void {
  const cells = new Int32Array(buffer);
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  for (let last = -1, silent = 0; ;) {
    Atomics.wait(never, 0, 0, silenceMs / looks);
    const now = Atomics.load(cells, count);
    silent = now === last && Atomics.load(cells, waiting) === 1 ? silent + 1 : 0;
    last = now;
    if (silent < looks) continue;
    Atomics.store(cells, ended, 1);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    return;
  }
}

if (!isMainThread) watch(workerData as Watched);
