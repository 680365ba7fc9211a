import { setTimeout as sleep } from 'node:timers/promises';

export interface Persistence {
  /** Whether a failure is one that passes. */
  passes: (failure: unknown) => boolean | Promise<boolean>;
  /** Milliseconds after which no further attempt is begun. */
  patience: number;
  /** Milliseconds between attempts. */
  interval: number;
}

/** Tries again as long as what fails passes. @throws what the last attempt threw */
export async function persist<T>(
  attempt: () => Promise<T>,
  { passes, patience, interval }: Persistence,
): Promise<T> {
  const deadline = performance.now() + patience;
  for (;;) {
    try {
      return await attempt();
    } catch (thrown) {
      if (!(await passes(thrown)) || performance.now() > deadline) throw thrown;
    }
    await sleep(interval);
  }
}
