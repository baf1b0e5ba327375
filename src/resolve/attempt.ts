import type { InstallReport } from '../tables/report.ts';

/** Runs what may throw where a stream must not die of it: a kernel that does not even answer fails this batch alone. */
export function attempt<T>(work: () => T, report: InstallReport): T | undefined {
  try {
    return work();
  } catch (error) {
    report.broken(error);
    return undefined;
  }
}
