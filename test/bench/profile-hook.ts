/** Loaded before missd (`node --import`): a CPU profile of its whole life, written on exit into BENCH_PROFILE. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';

/** Microseconds between samples; the default of a thousand is longer than a miss takes. */
const INTERVAL = 200;

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.setSamplingInterval', { interval: INTERVAL });
session.post('Profiler.start');
process.on('exit', () => {
  // A session within the process answers before it returns.
  session.post('Profiler.stop', (_error, { profile }) => {
    const directory = process.env['BENCH_PROFILE'] ?? '.';
    writeFileSync(join(directory, `missd-${process.pid}.cpuprofile`), JSON.stringify(profile));
  });
});
