/**
 * What is counted, as plain numbers: a labelled counter of a client library costs 200 ns a time, and a miss passes a
 * dozen of these. `registry.ts` publishes them when somebody asks.
 */
import { LANES } from '../base/guarded-lane.ts';
import type { MalformedReason } from '../directory/record.ts';
import { JOURNAL_FAILURES } from '../entries/journal.ts';
import { CONFLICTS, EVICTIONS, type ReconcileAction } from '../entries/report.ts';
import type { AnnouncementOutcome } from '../entries/announce.ts';
import type { Outcome } from './question.ts';
import { OVERRUN_SOCKETS, RECEIVING_SOCKETS } from '../kernel/kernel.ts';
import { FAMILIES } from '../links/full-tables.ts';
import { PlainHistogram } from '../base/histogram.ts';

export const LAYERS = ['l2', 'l3'] as const;
export const IGNORED = [
  'duplicate',
  'in_flight',
  'negative',
  'link_local',
  'unspecified',
  'unserved',
] as const;
export const OUTCOMES = [
  'resolved',
  'unknown',
  'failed',
  'shed',
  'local',
] as const satisfies readonly Outcome[];
export const ANNOUNCED = [
  'sent',
  'failed',
  'unknown_asker',
  'dad',
  'dropped',
] as const satisfies readonly AnnouncementOutcome[];
export const TABLES = ['neighbour', 'fdb', 'bridge', 'route'] as const;
/** Of the way of a miss, those that take time; see resolver/pipeline.ts. */
export const STAGES = ['queue', 'lookup', 'write', 'announce'] as const;

/** Why a connection to the HTTP address was refused: too many at once, or what the system said. */
export const HTTP_REFUSALS = ['full', 'error'] as const;

export type HttpRefusal = (typeof HTTP_REFUSALS)[number];
export type Layer = (typeof LAYERS)[number];
export type Ignored = (typeof IGNORED)[number];

const zeros = <K extends string>(keys: readonly K[]): Record<K, number> =>
  Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;

/** Upper bounds in seconds: from what the kernel floor takes to what a guest's own retry would. */
const RESOLUTION_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];
/** A stage may take less than all of them. */
const STAGE_BUCKETS = [0.00001, 0.000025, 0.00005, ...RESOLUTION_BUCKETS];

/** What is counted of one device; gone with it. */
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
  readonly tableFulls = zeros(FAMILIES);
  readonly evictions = zeros(EVICTIONS);
  /** What broke and was gone on without, see guard.ts. */
  readonly internalErrors = zeros(LANES);
  /** What found no room in a lane. */
  readonly overflows = zeros(LANES);
  readonly journalFailures = zeros(JOURNAL_FAILURES);
  readonly malformedRecords = new Map<MalformedReason, number>();
  readonly reconcileChanges = new Map<ReconcileAction, number>();
  readonly httpRefusals = zeros(HTTP_REFUSALS);
  malformedMessages = 0;
  lookupFailures = 0;
  lookupKeys = 0;
  /** Times the directory went away. */
  outages = 0;
  /** Miss received to entry acknowledged by the kernel. */
  readonly resolutionSeconds = new PlainHistogram(RESOLUTION_BUCKETS);
  /** What each stage took, weighted by the misses that waited for it. */
  readonly stageSeconds = {
    queue: new PlainHistogram(STAGE_BUCKETS),
    lookup: new PlainHistogram(STAGE_BUCKETS),
    write: new PlainHistogram(STAGE_BUCKETS),
    announce: new PlainHistogram(STAGE_BUCKETS),
  } satisfies Record<(typeof STAGES)[number], PlainHistogram>;
  /** One round trip to the directory, whatever it carried. */
  readonly lookupSeconds = new PlainHistogram(RESOLUTION_BUCKETS);
  /** Word of a changed record to the tables in step with it. */
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
