/**
 * Milliseconds on a clock that only goes forward. Lifetimes are measured on it, so that a wall clock set an hour
 * back or forth changes nothing. Tests pass a clock of their own.
 */
export type Clock = () => number;

export const monotonic: Clock = () => performance.now();
