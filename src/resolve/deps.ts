import type { Clock } from '../clock.ts';
import type { Directory } from '../directory/directory.ts';
import type { Counters } from '../metrics/counters.ts';
import type { Announcer } from '../tables/announce.ts';
import type { InstallDeps } from '../tables/install.ts';
import type { Admission } from './admission.ts';
import type { Judge } from './judge.ts';

/** What reading the directory takes. */
export interface LookupDeps {
  directory: Directory;
  judge: Judge;
  counters: Counters;
  now: Clock;
}

/** What answering misses takes. */
export interface PipelineDeps extends LookupDeps, InstallDeps {
  admission: Admission;
  announcer: Announcer;
}
