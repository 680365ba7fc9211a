/** A small seeded generator (mulberry32), so that a failing case can be run again. */
export class Random {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to 1, without 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.integer(0, choices.length - 1)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }

  bytes(length: number): Buffer {
    const words = new Uint32Array(Math.ceil(length / 4));
    // xorshift32, without a call per byte: tests ask for megabytes.
    let state = this.integer(1, 2 ** 31);
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    return Buffer.from(words.buffer, 0, length);
  }
}

/** The seed of this run: SEED from the environment, to repeat a failure, or a new one. */
export function seedOfRun(): number {
  const given = process.env.SEED;
  return given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
}

/** Runs `check` with generators of their own; a failure says which seed repeats it. */
export async function withSeeds(
  count: number,
  check: (random: Random) => void | Promise<void>,
): Promise<void> {
  const first = seedOfRun();
  const seeds = process.env.SEED === undefined ? count : 1;
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      await check(new Random(seed));
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`repeat with SEED=${seed}: ${message}`, { cause });
    }
  }
}
