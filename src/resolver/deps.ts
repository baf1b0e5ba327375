import type { Clock } from '../base/clock.ts';
import type { Directory } from '../directory/directory.ts';
import type { Faults } from '../base/guarded-lane.ts';
import type { Counters } from '../model/counters.ts';
import type { Announcer } from '../entries/announce.ts';
import type { InstallDeps } from '../entries/install.ts';
import type { InstallReport } from '../entries/report.ts';
import type { Admission } from './admission.ts';
import type { RecordPolicy } from './select-record.ts';

/** What reading the directory takes. */
export interface LookupDeps {
  report: Faults;
  directory: Directory;
  policy: RecordPolicy;
  counters: Counters;
  now: Clock;
}

/** What answering misses takes. */
export interface PipelineDeps extends LookupDeps, InstallDeps {
  report: InstallReport;
  admission: Admission;
  announcer: Announcer;
}
