/** Publishes what was counted, under the names of the public contract. Nothing here runs unless somebody scrapes. */
import { Counter, Gauge, type Metric, Registry, collectDefaultMetrics } from 'prom-client';
import type { Daemon } from '../daemon.ts';
import { oldestCheck } from '../keep/due.ts';
import { monotonic } from '../clock.ts';
import { MALFORMED_REASONS } from '../directory/record.ts';
import { RECONCILE_ACTIONS } from '../tables/report.ts';
import { byPort } from './by-port.ts';
import type { PlainHistogram } from './histogram.ts';

type Labels = Record<string, string>;
type Sample = [Labels, number];

const of = (label: string, counts: Record<string, number>): Sample[] =>
  Object.entries(counts).map(([value, count]) => [{ [label]: value }, count]);

/** Also what has not happened yet: a series that begins with its first event hides that event from `rate`. */
const known = <K extends string>(
  label: string,
  values: readonly K[],
  counts: ReadonlyMap<K, number>,
): Sample[] => values.map((value) => [{ [label]: value }, counts.get(value) ?? 0]);

export function openRegistry(daemon: Daemon): Registry {
  const registry = new Registry();
  const { counters } = daemon;
  const counter = (
    name: string,
    help: string,
    labelNames: string[],
    read: () => Sample[] | Promise<Sample[]>,
  ): void => {
    new Counter({
      name: `missd_${name}`,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const samples = await read();
        this.reset();
        for (const [labels, value] of samples) this.inc(labels, value);
      },
    });
  };
  const gauge = (name: string, help: string, labelNames: string[], read: () => Sample[]): void => {
    new Gauge({
      name: `missd_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  };

  counter('misses_total', 'Misses received from the kernel', ['layer'], () => of('layer', counters.misses));
  counter('misses_ignored_total', 'Misses that needed no resolution, by reason', ['reason'], () =>
    of('reason', counters.ignored),
  );
  counter('resolutions_total', 'Misses that were looked into, by how that ended', ['layer', 'outcome'], () =>
    Object.entries(counters.resolutions).flatMap(([layer, outcomes]) =>
      Object.entries(outcomes).map<Sample>(([outcome, count]) => [{ layer, outcome }, count]),
    ),
  );
  gauge('misses_in_flight', 'Misses being looked into', [], () => [[{}, daemon.admission.inFlight]]);
  gauge('entries', 'Entries held, by kernel table', ['table'], () => {
    const devices = daemon.host.devices();
    return [
      [{ table: 'neighbour' }, devices.reduce((sum, { tables }) => sum + tables.neighbours.size, 0)],
      [{ table: 'fdb' }, devices.reduce((sum, { tables }) => sum + tables.fdb.size, 0)],
      [{ table: 'route' }, devices.reduce((sum, { routes }) => sum + routes.size, 0)],
    ];
  });
  gauge('absent_addresses', 'Addresses remembered as nobody’s', [], () => [
    [{}, daemon.host.devices().reduce((sum, { absent }) => sum + absent.size, 0)],
  ]);
  gauge('devices', 'VXLAN devices served', [], () => [[{}, daemon.host.devices().length]]);
  counter(
    'netlink_overruns_total',
    'Times the kernel dropped messages for want of receive buffer',
    ['socket'],
    () => of('socket', counters.overruns),
  );
  counter('netlink_malformed_total', 'Netlink messages that could not be decoded', [], () => [
    [{}, counters.malformedMessages],
  ]);
  counter('announcements_total', 'Answers told to the guests that asked', ['outcome'], () =>
    of('outcome', counters.announcements),
  );
  counter('conflicts_total', 'Disagreements between the directory and this host', ['reason'], () =>
    of('reason', counters.conflicts),
  );
  counter('write_failures_total', 'Entries the kernel refused', ['table'], () =>
    of('table', counters.writeFailures),
  );
  counter('reconcile_changes_total', 'Corrections of the kernel tables', ['action'], () =>
    known('action', RECONCILE_ACTIONS, counters.reconcileChanges),
  );
  counter(
    'neighbour_table_full_total',
    'Neighbours the kernel refused for want of room (gc_thresh3), of the whole machine',
    ['family'],
    () => of('family', counters.tableFulls),
  );
  counter('evictions_total', 'Entries that gave way to newer ones', ['reason'], () =>
    of('reason', counters.evictions),
  );
  counter('directory_malformed_records_total', 'Records read that count as absent', ['reason'], () =>
    known('reason', MALFORMED_REASONS, counters.malformedRecords),
  );
  counter('directory_lookup_failures_total', 'Round trips to the directory that failed', [], () => [
    [{}, counters.lookupFailures],
  ]);
  counter('directory_keys_total', 'Keys asked of the directory', [], () => [[{}, counters.lookupKeys]]);
  counter('port_lookups_total', 'Questions of a port taken to the directory', ['device', 'port'], () =>
    byPort(daemon.host, ({ asked }) => asked),
  );
  counter('shed_total', 'Questions of a port dropped', ['device', 'port'], () =>
    byPort(daemon.host, ({ shed }) => shed),
  );
  gauge('throttled_ports', 'Ports whose questions are limited in the kernel', [], () => [
    [{}, daemon.throttle.size],
  ]);
  counter('throttles_total', 'Times a port began to be limited in the kernel', [], () => [
    [{}, daemon.throttle.count],
  ]);
  gauge('directory_up', 'Whether the directory answers', [], () => [[{}, daemon.directoryState.up ? 1 : 0]]);
  gauge('withdrawal_guard', 'VNIs whose entries are kept although their records are gone', [], () => [
    [{}, daemon.keeper.guard.active.length],
  ]);
  gauge('broadcast_replicas', 'Hosts that a broadcast of a device is copied to, of all devices', [], () => [
    [
      {},
      daemon.host
        .devices()
        .reduce(
          (sum, { replicas }) => sum + Math.max(0, ...[...replicas.values()].map(({ size }) => size)),
          0,
        ),
    ],
  ]);
  gauge('broadcast_left_out', 'Hosts that take part and get no copies, because they are too many', [], () => [
    [{}, daemon.broadcast.leftOut],
  ]);
  counter(
    'broadcasts_dropped_total',
    'Broadcasts above the limit, copied to no other host',
    ['device'],
    async () =>
      (await daemon.broadcast.limits.dropped()).map<Sample>(([{ name }, count]) => [{ device: name }, count]),
  );
  gauge('broadcast_unlimited', 'Devices whose broadcasts are copied without a limit', [], () => [
    [{}, daemon.broadcast.limits.unlimited],
  ]);
  gauge('oldest_check_seconds', 'Since the record of the entry longest unread was read', [], () => {
    const oldest = oldestCheck(daemon.host.devices());
    return [[{}, oldest === undefined ? 0 : (monotonic() - oldest) / 1000]];
  });
  histogram(
    registry,
    'missd_resolution_seconds',
    'Miss received to entry acknowledged by the kernel',
    counters.resolutionSeconds,
  );
  histogram(
    registry,
    'missd_directory_lookup_seconds',
    'One round trip to the directory',
    counters.lookupSeconds,
  );
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** prom-client asks a metric only for its name and `get`; what it prints is ours to give. */
function histogram(registry: Registry, name: string, help: string, counts: PlainHistogram): void {
  const metric = {
    name,
    get: () => {
      const buckets = counts.cumulative();
      const values = [
        ...buckets.map(({ le, count }) => ({ metricName: `${name}_bucket`, labels: { le }, value: count })),
        { metricName: `${name}_sum`, labels: {}, value: counts.sum },
        { metricName: `${name}_count`, labels: {}, value: buckets.at(-1)?.count ?? 0 },
      ];
      return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' });
    },
  };
  registry.registerMetric(metric as unknown as Metric);
}
