/** So many may do something at a time; the others wait in the order in which they asked. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * @param before whether to come before all who wait
   * @returns what gives the slot back; calling it again does nothing
   */
  async acquire(before = false): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else {
      await new Promise<void>((resolve) => {
        if (before) this.#waiting.unshift(resolve);
        else this.#waiting.push(resolve);
      });
    }
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = this.#waiting.shift();
      // The slot goes from hand to hand: nobody comes between.
      if (next === undefined) this.#free += 1;
      else next();
    };
  }
}
