/** What is published, under the names of the public contract. Nothing here runs unless somebody scrapes. */
import {
  DIRECTORY_PARTS,
  LAYERS,
  MALFORMED_REASONS,
  RECONCILE_ACTIONS,
  STAGES,
} from '../../base/outcomes.ts';
import type { Observed } from '../observed.ts';
import { linesLost } from '../../base/log.ts';
import { publishDevices } from './devices.ts';
import { Metrics } from './metrics.ts';
import { publishProcess } from './process.ts';
import type { Sample } from './read-metric.ts';

const of = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([value, count]) => [{ [label]: value }, count]);

/** Also what has not happened yet: a series that begins with its first event hides that event from `rate`. */
const known = <K extends string>(
  label: string,
  values: readonly K[],
  counts: ReadonlyMap<K, number>,
): Sample[] => values.map((value) => [{ [label]: value }, counts.get(value) ?? 0]);

export function openRegistry(daemon: Observed): Metrics {
  const to = new Metrics();
  to.together(() => {
    publishMisses(to, daemon);
  });
  publishTables(to, daemon);
  publishDirectory(to, daemon);
  publishService(to, daemon);
  publishDevices(to, daemon);
  publishProcess(to);
  return to;
}

/** The books and the times: read at one moment, so that misses = resolutions + ignored + in flight. */
function publishMisses(to: Metrics, { counters, admission }: Observed): void {
  to.counter('missd_misses_total', 'Misses received from the kernel', () => of('layer', counters.misses));
  to.counter('missd_misses_ignored_total', 'Misses that needed no resolution, by reason', () =>
    of('reason', counters.ignored),
  );
  to.counter('missd_resolutions_total', 'Misses that were looked into, by how that ended', () =>
    LAYERS.flatMap((layer) =>
      Object.entries(counters.resolutions[layer]).map<Sample>(([outcome, n]) => [{ layer, outcome }, n]),
    ),
  );
  to.gauge('missd_misses_in_flight', 'Misses being looked into', () => admission.inFlight);
  to.histogram(
    'missd_resolution_seconds',
    'Miss received to entry acknowledged by the kernel',
    () => counters.resolutionSeconds,
  );
  to.histogram(
    'missd_stage_seconds',
    'What the misses waited for: their turn, the directory, the kernel’s tables, the announcement',
    () => STAGES.map((stage) => [{ stage }, counters.stageSeconds[stage]]),
  );
  to.counter('missd_announcements_total', 'Answers told to the guests that asked', () =>
    of('outcome', counters.announcements),
  );
}

function publishTables(to: Metrics, { counters, host, reconciler, replication }: Observed): void {
  to.gauge('missd_entries', 'Entries held, by kernel table', () => {
    const held = { neighbour: 0, fdb: 0, route: 0 };
    for (const { tables, routes } of host.devices()) {
      held.neighbour += tables.neighbours.size;
      held.fdb += tables.fdb.size;
      held.route += routes.size;
    }
    return of('table', held);
  });
  to.gauge('missd_absent_addresses', 'Addresses remembered as nobody’s', () =>
    host.devices().reduce((sum, { absent }) => sum + absent.size, 0),
  );
  to.gauge(
    'missd_oldest_check_seconds',
    'Since the record of the entry longest unread was read: how long an entry could be wrong, if the feed were',
    () => reconciler.due.oldest / 1000,
  );
  to.histogram(
    'missd_change_seconds',
    'Word of a changed record to the kernel’s tables in step with it',
    () => counters.changeSeconds,
  );
  to.counter('missd_reconcile_changes_total', 'Corrections of the kernel tables', () =>
    known('action', RECONCILE_ACTIONS, counters.reconcileChanges),
  );
  to.counter(
    'missd_neighbour_table_full_total',
    'Neighbours the kernel refused for want of room (gc_thresh3), of the whole machine',
    () => of('family', counters.tableFulls),
  );
  to.counter('missd_evictions_total', 'Entries that gave way to newer ones', () =>
    of('reason', counters.evictions),
  );
  to.counter('missd_conflicts_total', 'Disagreements between the directory and this host', () =>
    of('reason', counters.conflicts),
  );
  to.counter('missd_write_failures_total', 'Entries the kernel refused', () =>
    of('table', counters.writeFailures),
  );
  to.counter('missd_journal_failures_total', 'Failures to keep the journal of the entries written', () =>
    of('reason', counters.journalFailures),
  );
  to.gauge(
    'missd_foreign_entries',
    'FDB entries of another owner that look like missd’s and are left as they are',
    () => host.devices().reduce((sum, { foreign }) => sum + foreign.size, 0),
  );
  to.gauge(
    'missd_withdrawal_guard',
    'VNIs whose entries are kept although their records are gone',
    () => reconciler.guard.active.length,
  );
  to.gauge(
    'missd_broadcast_replicas',
    'Hosts that a broadcast of a device is copied to, of all devices',
    () =>
      host
        .devices()
        .reduce(
          (sum, { replicas }) => sum + Math.max(0, ...[...replicas.values()].map(({ size }) => size)),
          0,
        ),
  );
  to.gauge(
    'missd_broadcast_left_out',
    'Hosts that take part and get no copies, because they are too many',
    () => replication.leftOut,
  );
  to.gauge(
    'missd_broadcast_unlimited',
    'Devices whose broadcasts are copied without a limit',
    () => replication.limits.unlimited,
  );
}

function publishDirectory(to: Metrics, daemon: Observed): void {
  const { counters } = daemon;
  to.gauge('missd_directory_up', 'Whether the directory answers', () =>
    daemon.readiness.directory.up ? 1 : 0,
  );
  to.gauge('missd_directory_part_up', 'Whether each part of the connection works', () => {
    const { up } = daemon.directoryHealth();
    return DIRECTORY_PARTS.map((part) => [{ part }, up[part] ? 1 : 0]);
  });
  to.counter('missd_directory_outages_total', 'Times the directory ceased to answer', () => counters.outages);
  to.gauge(
    'missd_directory_feed_lag_seconds',
    'What the last question took on the connection that tells of changes, or longer while it has no answer',
    () => daemon.directoryHealth().feedLag / 1000,
  );
  to.counter(
    'missd_directory_feed_messages_total',
    'Messages of changed records received, however many records each names',
    () => daemon.directoryHealth().feedMessages,
  );
  to.gauge(
    'missd_directory_excess_leases',
    'Leases that do not count because their VNI has too many',
    () => daemon.directoryHealth().excessLeases,
  );
  to.histogram(
    'missd_directory_lookup_seconds',
    'One round trip to the directory',
    () => counters.lookupSeconds,
  );
  to.counter(
    'missd_directory_lookup_failures_total',
    'Round trips to the directory that failed',
    () => counters.lookupFailures,
  );
  to.counter('missd_directory_keys_total', 'Keys asked of the directory', () => counters.lookupKeys);
  to.counter('missd_directory_malformed_records_total', 'Records read that count as absent', () =>
    known('reason', MALFORMED_REASONS, counters.malformedRecords),
  );
}

function publishService(to: Metrics, daemon: Observed): void {
  const { counters, throttle } = daemon;
  to.gauge('missd_ready', 'What /readyz says', () => (daemon.readiness.missing().length === 0 ? 1 : 0));
  to.gauge('missd_devices', 'VXLAN devices served', () => daemon.host.devices().length);
  to.counter(
    'missd_netlink_overruns_total',
    'Times the kernel dropped messages for want of receive buffer',
    () => of('socket', counters.overruns),
  );
  to.counter(
    'missd_netlink_receive_failures_total',
    'Times a socket of the kernel could not be read for a reason other than that',
    () => of('socket', counters.receiveFailures),
  );
  to.counter(
    'missd_netlink_malformed_total',
    'Netlink messages that could not be decoded, or that a process other than the kernel sent',
    () => counters.malformedMessages,
  );
  to.counter('missd_internal_errors_total', 'Faults that cost one step, and were gone on from', () =>
    of('lane', counters.internalErrors),
  );
  to.counter('missd_overflows_total', 'Items dropped because a queue was full', () =>
    of('lane', counters.overflows),
  );
  to.counter(
    'missd_http_connections_refused_total',
    'Connections to the HTTP address that were refused',
    () => of('reason', counters.httpRefusals),
  );
  to.counter('missd_log_lines_lost_total', 'Lines of the log that could not be written', linesLost);
  to.gauge('missd_throttled_ports', 'Ports whose questions are limited in the kernel', () => throttle.size);
  to.counter('missd_throttles_total', 'Times a port began to be limited in the kernel', () => throttle.count);
}
