/** Waiting for a state rather than for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface UntilOptions {
  timeout?: number;
  /** Between two looks, milliseconds. */
  every?: number;
}

/**
 * Asks again and again until the answer is neither false, null nor undefined, and returns it.
 * @throws Error naming what was waited for
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  { timeout = 10_000, every = 20 }: UntilOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined) return seen;
    if (performance.now() > deadline)
      throw new Error(`waited ${timeout / 1000} s without success for ${what}`);
    await sleep(every);
  }
}
