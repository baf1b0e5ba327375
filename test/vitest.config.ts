import { defineConfig } from 'vitest/config';

/** Said by `npm run test:full`: durations as the requirements have them, and what takes minutes of computing. */
const full = process.env['MISSD_TEST_SCALE'] === '1';

/**
 * Storeys: `unit` runs anywhere, `lab` needs root and the real kernel, `full`
 * computes for minutes. The lab runs one file at a time, after
 * the units: its tests share two cores and the machine-wide neighbour table.
 */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts', 'test/faults/**/*.test.ts'],
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      ...(full
        ? [
            {
              test: {
                name: 'full',
                include: ['test/full/**/*.test.ts'],
                maxWorkers: 1,
                sequence: { groupOrder: 2 },
              },
            },
          ]
        : []),
    ],
  },
});
