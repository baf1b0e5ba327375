/**
 * Counters as plain numbers: a labelled counter of a client library costs 200 ns per increment, and a miss passes a dozen
 * counters. observe/metrics/registry.ts publishes them on a scrape.
 */
import {
  ANNOUNCED,
  CONFLICTS,
  EVICTIONS,
  HTTP_REFUSALS,
  IGNORED,
  JOURNAL_FAILURES,
  LANES,
  LAYERS,
  type Layer,
  type MalformedReason,
  NEIGHBOUR_FAMILIES,
  OUTCOMES,
  OVERRUN_SOCKETS,
  type Outcome,
  RECEIVING_SOCKETS,
  type ReconcileAction,
  STAGES,
  TABLES,
} from '../base/outcomes.ts';
import { PlainHistogram } from '../base/histogram.ts';

const zeros = <K extends string>(keys: readonly K[]): Record<K, number> =>
  Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;

/** Upper bounds in seconds: from the time the kernel alone takes to that of a guest's own retry. */
const RESOLUTION_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];
/** A single stage may take less time. */
const STAGE_BUCKETS = [0.00001, 0.000025, 0.00005, ...RESOLUTION_BUCKETS];

/** The counters of one device. */
export class DeviceCounters {
  readonly misses = zeros(LAYERS);
  readonly outcomes = zeros(OUTCOMES);
  /** Questions taken to the directory. */
  lookups = 0;
}

export class Counters {
  readonly misses = zeros(LAYERS);
  readonly ignored = zeros(IGNORED);
  readonly resolutions = { l2: zeros(OUTCOMES), l3: zeros(OUTCOMES) };
  readonly announcements = zeros(ANNOUNCED);
  readonly conflicts = zeros(CONFLICTS);
  readonly writeFailures = zeros(TABLES);
  readonly overruns = zeros(OVERRUN_SOCKETS);
  readonly receiveFailures = zeros(RECEIVING_SOCKETS);
  readonly tableFulls = zeros(NEIGHBOUR_FAMILIES);
  readonly evictions = zeros(EVICTIONS);
  /** Errors that were caught, see base/guarded-lane.ts. */
  readonly internalErrors = zeros(LANES);
  /** Items that found no room in a lane. */
  readonly overflows = zeros(LANES);
  readonly journalFailures = zeros(JOURNAL_FAILURES);
  readonly malformedRecords = new Map<MalformedReason, number>();
  readonly reconcileChanges = new Map<ReconcileAction, number>();
  readonly httpRefusals = zeros(HTTP_REFUSALS);
  malformedMessages = 0;
  lookupFailures = 0;
  lookupKeys = 0;
  /** How often the directory became unreachable. */
  outages = 0;
  /** Miss received to entry acknowledged by the kernel. */
  readonly resolutionSeconds = new PlainHistogram(RESOLUTION_BUCKETS);
  /** Duration of each stage, weighted by the misses that waited for it. */
  readonly stageSeconds = {
    queue: new PlainHistogram(STAGE_BUCKETS),
    lookup: new PlainHistogram(STAGE_BUCKETS),
    write: new PlainHistogram(STAGE_BUCKETS),
    announce: new PlainHistogram(STAGE_BUCKETS),
  } satisfies Record<(typeof STAGES)[number], PlainHistogram>;
  /** One round trip to the directory with any number of keys. */
  readonly lookupSeconds = new PlainHistogram(RESOLUTION_BUCKETS);
  /** Notification of a changed record to its entries written. */
  readonly changeSeconds = new PlainHistogram(RESOLUTION_BUCKETS);

  /** How a miss ended. */
  settled(device: { readonly counters: DeviceCounters }, layer: Layer, outcome: Outcome): void {
    this.resolutions[layer][outcome]++;
    device.counters.outcomes[outcome]++;
  }
}

export const increment = <K extends string>(counts: Map<K, number>, key: K, by = 1): void => {
  if (by > 0) counts.set(key, (counts.get(key) ?? 0) + by);
};
