/** Declares the metrics of the public contract. The functions run only during a scrape. */
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
import { publishPublishing } from './publishing.ts';
import type { Sample } from './read-metric.ts';

const of = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([value, count]) => [{ [label]: value }, count]);

/** Includes values with a count of 0: a series that begins with its first event hides that event from `rate`. */
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
  publishNetworks(to, daemon);
  publishPublishing(to, daemon);
  publishService(to, daemon);
  publishDevices(to, daemon);
  publishProcess(to);
  return to;
}

/** Read in one turn of the event loop, so that misses = resolutions + ignored + in flight. */
function publishMisses(to: Metrics, { counters, admission }: Observed): void {
  to.counter('missd_misses_total', 'Misses received from the kernel', () => of('layer', counters.misses));
  to.counter('missd_misses_ignored_total', 'Misses that became no question, by reason', () =>
    of('reason', counters.ignored),
  );
  to.counter('missd_resolutions_total', 'Questions, by layer and outcome', () =>
    LAYERS.flatMap((layer) =>
      Object.entries(counters.resolutions[layer]).map<Sample>(([outcome, n]) => [{ layer, outcome }, n]),
    ),
  );
  to.gauge('missd_misses_in_flight', 'Questions in flight', () => admission.inFlight);
  to.histogram(
    'missd_resolution_seconds',
    'Time from a miss to the kernel’s acknowledgement of the entry',
    () => counters.resolutionSeconds,
  );
  to.histogram(
    'missd_stage_seconds',
    'Time of a miss in each stage: queue, directory, kernel tables, announcement',
    () => STAGES.map((stage) => [{ stage }, counters.stageSeconds[stage]]),
  );
  to.counter('missd_announcements_total', 'Announcements to guests that asked, by outcome', () =>
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
  to.gauge('missd_absent_addresses', 'Addresses in the negative cache', () =>
    host.devices().reduce((sum, { absent }) => sum + absent.size, 0),
  );
  to.gauge(
    'missd_oldest_check_seconds',
    'Age of the oldest check of an entry against its record: how long an entry could be wrong without the feed of changes',
    () => reconciler.due.oldest / 1000,
  );
  to.histogram(
    'missd_change_seconds',
    'Time from the report of a changed record to the write of the kernel tables',
    () => counters.changeSeconds,
  );
  to.counter('missd_reconcile_changes_total', 'Corrections of the kernel tables', () =>
    known('action', RECONCILE_ACTIONS, counters.reconcileChanges),
  );
  to.counter(
    'missd_neighbour_table_full_total',
    'Neighbours that the kernel refused because the table was full (gc_thresh3), of the whole machine',
    () => of('family', counters.tableFulls),
  );
  to.counter('missd_evictions_total', 'Entries removed to make room for newer ones', () =>
    of('reason', counters.evictions),
  );
  to.counter('missd_conflicts_total', 'Disagreements between the directory and this host', () =>
    of('reason', counters.conflicts),
  );
  to.counter('missd_write_failures_total', 'Entries that the kernel refused', () =>
    of('table', counters.writeFailures),
  );
  to.counter('missd_journal_failures_total', 'Failures to write the journal of entries', () =>
    of('reason', counters.journalFailures),
  );
  to.gauge(
    'missd_foreign_entries',
    'FDB entries of another owner that look like missd’s, which missd does not change',
    () => host.devices().reduce((sum, { foreign }) => sum + foreign.size, 0),
  );
  to.gauge(
    'missd_withdrawal_guard',
    'VNIs whose entries stay although their records are gone',
    () => reconciler.guard.active.length,
  );
  to.gauge('missd_broadcast_replicas', 'Hosts that a broadcast is copied to, summed over all devices', () =>
    host
      .devices()
      .reduce((sum, { replicas }) => sum + Math.max(0, ...[...replicas.values()].map(({ size }) => size)), 0),
  );
  to.gauge(
    'missd_broadcast_left_out',
    'Hosts that take part and get no copies, because there are too many',
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
  to.gauge('missd_directory_part_up', 'Whether each part of the connection to the directory works', () => {
    const { up } = daemon.directoryHealth();
    return DIRECTORY_PARTS.map((part) => [{ part }, up[part] ? 1 : 0]);
  });
  to.counter(
    'missd_directory_outages_total',
    'Times that the directory ceased to answer',
    () => counters.outages,
  );
  to.gauge(
    'missd_directory_feed_lag_seconds',
    'Round trip of the last probe on the connection that reports changes; grows while the probe has no answer',
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
    'Time of a round trip to the directory',
    () => counters.lookupSeconds,
  );
  to.counter(
    'missd_directory_lookup_failures_total',
    'Round trips to the directory that failed',
    () => counters.lookupFailures,
  );
  to.counter('missd_directory_keys_total', 'Keys looked up in the directory', () => counters.lookupKeys);
  to.counter('missd_directory_malformed_records_total', 'Malformed records, which count as absent', () =>
    known('reason', MALFORMED_REASONS, counters.malformedRecords),
  );
}

function publishNetworks(to: Metrics, { networks: { joins } }: Observed): void {
  to.gauge('missd_network_joined', 'Whether a joined network is set up on this host', () =>
    joins.states().map(({ network, state }) => [{ network }, state === 'joined' ? 1 : 0]),
  );
  to.counter(
    'missd_join_failures_total',
    'Checks of joined networks that ended with an error',
    () => joins.failures,
  );
  to.counter(
    'missd_join_repairs_total',
    'Repairs of joined networks that had been set up before',
    () => joins.repairs,
  );
}

function publishService(to: Metrics, daemon: Observed): void {
  const { counters, throttle } = daemon;
  to.gauge('missd_ready', 'Whether /readyz answers 200', () =>
    daemon.readiness.missing().length === 0 ? 1 : 0,
  );
  to.gauge('missd_devices', 'VXLAN devices served', () => daemon.host.devices().length);
  to.counter(
    'missd_netlink_overruns_total',
    'Times that the kernel dropped messages because a receive buffer was full',
    () => of('socket', counters.overruns),
  );
  to.counter(
    'missd_netlink_receive_failures_total',
    'Times that reading a netlink socket failed for another reason than an overrun',
    () => of('socket', counters.receiveFailures),
  );
  to.counter(
    'missd_netlink_malformed_total',
    'Netlink messages that could not be decoded, or that a process other than the kernel sent',
    () => counters.malformedMessages,
  );
  to.counter(
    'missd_internal_errors_total',
    'Internal errors that ended one step of work, not the daemon',
    () => of('lane', counters.internalErrors),
  );
  to.counter('missd_overflows_total', 'Items dropped because a queue was full', () =>
    of('lane', counters.overflows),
  );
  to.counter('missd_http_connections_refused_total', 'Refused connections to the HTTP address', () =>
    of('reason', counters.httpRefusals),
  );
  to.counter('missd_log_lines_lost_total', 'Log lines that could not be written', linesLost);
  to.gauge('missd_throttled_ports', 'Ports whose questions are limited in the kernel', () => throttle.size);
  to.counter('missd_throttles_total', 'Times that the kernel began to limit a port', () => throttle.count);
}
