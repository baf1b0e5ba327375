import { defineConfig } from 'vitest/config';

/** Said by `npm run test:full`: durations as the requirements have them, and what takes minutes of computing. */
const full = process.env['MISSD_TEST_SCALE'] === '1';

/**
 * What the commands print: these wait most of their time, and a file beside them changes nothing in what they look at.
 * All others count packets, lapses of time or rows of the neighbour table that all namespaces of the machine share,
 * where a file beside them would be counted too.
 */
const together = [
  'test/lab/{doctor,doctor-directory,doctor-topologies,explain,explain-faults,explain-tables}.test.ts',
  'test/lab/{explain-topologies,endpoint,recipes,top,printed-commands,docs,labs,package}.test.ts',
  'test/lab/{strategies,directory-recorded,directory-sources,prometheus,dockerfile,unit-file,log}.test.ts',
  'test/lab/{reload,reload-credentials,directory-topologies,service-manager}.test.ts',
  'test/lab/{join,join-cases,join-routed,join-dad,network,prefixes,routed-prefixes}.test.ts',
  'test/lab/{owned-records,record-ownership}.test.ts',
  'test/faults/lock.test.ts',
];
/** Said by `npm run test:versions`: the unit tests on every supported version of Node, minutes of computing. */
const versions = process.env['MISSD_TEST_VERSIONS'] === '1';
const onTheKernel = { testTimeout: 60_000, hookTimeout: 60_000 };

/**
 * Storeys: `unit` runs anywhere, `lab` needs root and the real kernel, `full` computes for minutes. Of the lab some
 * files run two at a time, and then all others one at a time (`alone`).
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
          include: together,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          ...onTheKernel,
        },
      },
      {
        test: {
          name: 'alone',
          include: ['test/lab/**/*.test.ts', 'test/faults/**/*.test.ts'],
          exclude: together,
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
      ...(versions
        ? [
            {
              test: {
                name: 'versions',
                include: ['test/versions/**/*.test.ts'],
                sequence: { groupOrder: 4 },
              },
            },
          ]
        : []),
    ],
  },
});
