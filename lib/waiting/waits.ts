import type { Logger } from '../log/logger.js';

interface Wait {
  reason: string;
  longestMs: number;
  steps: number;
  current: number;
}

/** What was waited for: told once in the log when it begins, and once in the result. */
export class Waits {
  readonly #byWhat = new Map<string, Wait>();

  constructor(private readonly log: Logger) {}

  /** One step begins to wait. Returns what to call when it waits no more. */
  begin(what: string, reason: string): () => void {
    const wait = this.#byWhat.get(what) ?? { reason, longestMs: 0, steps: 0, current: 0 };
    this.#byWhat.set(what, wait);
    wait.steps += 1;
    wait.current += 1;
    if (wait.current === 1) this.log.warn(`waiting: ${what}`, { reason });
    const began = performance.now();
    return () => {
      wait.current -= 1;
      wait.longestMs = Math.max(wait.longestMs, performance.now() - began);
      if (wait.current === 0) this.log.info(`no longer waiting: ${what}`);
    };
  }

  /** One sentence for each thing that was waited for. */
  warnings(): string[] {
    return [...this.#byWhat].map(([what, { reason, longestMs, steps }]) => {
      const seconds = Math.ceil(longestMs / 1000);
      const times = steps === 1 ? '' : `, ${steps} times`;
      return `waited ${seconds} s${times}: ${what}: ${reason}`;
    });
  }
}
