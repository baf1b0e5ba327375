/** How long faults last: 1 is as the requirement has it, `npm test` takes a tenth. */
export const SCALE = Number(process.env['MISSD_TEST_SCALE'] ?? 0.1);

/** Milliseconds of a duration given in seconds, scaled, but no less than `least` seconds. */
export const scaled = (seconds: number, least = 0): number => Math.max(seconds * SCALE, least) * 1000;
