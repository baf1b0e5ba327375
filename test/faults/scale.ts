/** How long faults last: 1 is as the requirement has it, `npm test` takes a tenth. */
export const SCALE = Number(process.env['MISSD_TEST_SCALE'] ?? 0.1);

/** Milliseconds of a duration given in seconds, scaled, but no less than `least` seconds. */
export const scaled = (seconds: number, least = 0): number => Math.max(seconds * SCALE, least) * 1000;

/** How often something is done. */
export const scaledCount = (full: number, least: number): number =>
  Math.min(full, Math.max(Math.round(full * SCALE), least));

/** A test's own limit, ms: what it waits for by design, and as much again as a noisy machine may need. */
export const limit = (milliseconds: number): number => milliseconds * 2 + 60_000;
