/** Waits for a state, not for an amount of time. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface UntilOptions {
  /** ms. */
  timeout?: number;
  /** Time between two calls of `look`, ms. */
  every?: number;
}

/**
 * Calls `look` until its result is neither false, null nor undefined, and returns the result.
 * @throws Error that names `what` after the timeout
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
