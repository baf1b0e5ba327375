/** The parts of the daemon that observers read and do not change. */
import type { RunOptions } from '../config/options.ts';
import type { DirectoryHealth } from '../directory/directory.ts';
import type { JoinState } from '../join/joined.ts';
import type { Host } from '../links/host.ts';
import type { Counters } from '../model/counters.ts';
import type { Throttle } from '../nft/throttle.ts';
import type { Publishing } from '../publish/publishing.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { Replication } from '../replication/replication.ts';
import type { Admission } from '../resolver/admission.ts';
import type { HttpRefusal } from '../base/outcomes.ts';
import type { History } from './history/history.ts';
import type { Readiness } from './readiness.ts';

export interface Observed {
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly options: RunOptions;
  readonly counters: Counters;
  readonly host: Host;
  readonly readiness: Readiness;
  readonly admission: Admission;
  readonly throttle: Throttle;
  readonly reconciler: Reconciler;
  readonly replication: Replication;
  readonly history: History;
  readonly networks: {
    readonly joins: { states(): JoinState[]; readonly failures: number; readonly repairs: number };
    readonly publishing: Pick<
      Publishing,
      'account' | 'counters' | 'networkCounters' | 'refusedAddresses' | 'states'
    >;
  };
  readonly report: { refusedPeer(reason: HttpRefusal, example: string): void };
  directoryHealth(): DirectoryHealth;
}
