import { defineConfig } from 'vitest/config';

/** Said by `npm run test:full`: durations as the requirements have them, and what takes minutes of computing. */
const full = process.env['MISSD_TEST_SCALE'] === '1';

/**
 * These fill the neighbour table that all namespaces of the machine share, flood a guest's port with all that one core
 * can send, or count what a moment costs: a file beside them would be counted too.
 */
const alone = [
  'test/faults/{chaos/chaos,many,routed,soak}.test.ts',
  'test/lab/{broadcast-limit,fairness,many-devices,overrun,regression,table-sizes}.test.ts',
];
const onTheKernel = { testTimeout: 60_000, hookTimeout: 60_000 };

/**
 * Storeys: `unit` runs anywhere, `lab` needs root and the real kernel, `full` computes for minutes. A lab waits most of
 * its time, for timers of the kernel and for retries of guests, so two files run beside each other, and `alone`
 * behind them one at a time.
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
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          ...onTheKernel,
        },
      },
      {
        test: {
          name: 'alone',
          include: alone,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          ...onTheKernel,
        },
      },
      ...(full
        ? [
            {
              test: {
                name: 'full',
                include: ['test/full/**/*.test.ts'],
                maxWorkers: 1,
                sequence: { groupOrder: 3 },
              },
            },
          ]
        : []),
    ],
  },
});
