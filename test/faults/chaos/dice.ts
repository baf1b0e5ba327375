/** Chance that can be repeated: the same seed gives the same run. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 up to, not including, `below`. A linear congruential generator (Numerical Recipes). */
  number(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.number(from.length)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  }

  /** Generators for parts that run beside one another: what one draws does not depend on how fast another is. */
  split(): Dice {
    return new Dice(this.number(2 ** 32));
  }
}
