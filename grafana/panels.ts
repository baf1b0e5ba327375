/** What the dashboard shows: four questions an operator has, and the queries that answer them. */

export interface Query {
  expr: string;
  /** As Grafana has it: `{{label}}` is replaced. */
  legend: string;
}

interface Common {
  title: string;
  /** What it says, and when to worry. */
  description: string;
  /** Grafana's name of the unit. */
  unit: string;
  /** Of 24. */
  width: number;
  queries: readonly Query[];
}

export type PanelSpec = Common &
  (
    | { kind: 'graph'; stacked?: boolean; max?: number }
    /** A number, coloured by its size: green below the first step. */
    | { kind: 'number'; warn?: number; alarm?: number }
    /** 1 or 0 in words. */
    | { kind: 'state'; yes: string; no: string }
    | { kind: 'table' }
  );

export interface RowSpec {
  title: string;
  panels: readonly PanelSpec[];
}

/** The chosen daemons, and of them the chosen devices. */
const DAEMONS = 'job=~"$job",instance=~"$instance"';
const DEVICES = `${DAEMONS},device=~"$device"`;

const rate = (metric: string, labels = ''): string =>
  `rate(${metric}{${labels === '' ? DAEMONS : labels}}[$__rate_interval])`;
const rateBy = (label: string, metric: string, labels = ''): string =>
  `sum by (${label}) (${rate(metric, labels)})`;
const quantile = (share: number, histogram: string): string =>
  `histogram_quantile(${share}, ${rateBy('le', `${histogram}_bucket`)})`;
const quantiles = (histogram: string, shares: readonly number[]): Query[] =>
  shares.map((share) => ({ expr: quantile(share, histogram), legend: `p${share * 100}` }));
const one = (expr: string, legend = '{{instance}}'): Query[] => [{ expr, legend }];

const HEALTHY: RowSpec = {
  title: 'Is it healthy?',
  panels: [
    {
      ...{ kind: 'state', title: 'Ready', unit: 'none', width: 4, yes: 'ready', no: 'not ready' },
      description: 'What /readyz says. 503 names what is missing.',
      queries: one(`missd_ready{${DAEMONS}}`),
    },
    {
      ...{ kind: 'state', title: 'Directory', unit: 'none', width: 4, yes: 'up', no: 'down' },
      description: 'Without it entries stay and serve; new pairs wait.',
      queries: one(`missd_directory_up{${DAEMONS}}`),
    },
    {
      ...{ kind: 'number', title: 'Devices served', unit: 'none', width: 4 },
      description: 'VXLAN devices. One that is missing here is refused or taken: the log says why.',
      queries: one(`sum(missd_devices{${DAEMONS}})`, 'devices'),
    },
    {
      ...{ kind: 'number', title: 'Oldest answer', unit: 's', width: 4, warn: 120, alarm: 300 },
      description:
        'Since the record of the entry longest unread was read. Beyond --lifetime records cannot be read.',
      queries: one(`max(missd_oldest_check_seconds{${DAEMONS}})`, 'oldest'),
    },
    {
      ...{ kind: 'number', title: 'VNIs without records, kept', unit: 'none', width: 4, warn: 1, alarm: 1 },
      description:
        'Their records vanished at one blow; the entries stay for --withdrawal-grace. Bring the records back.',
      queries: one(`sum(missd_withdrawal_guard{${DAEMONS}})`, 'VNIs'),
    },
    {
      ...{ kind: 'number', title: 'Messages lost, 1 h', unit: 'none', width: 4, warn: 1, alarm: 1 },
      description: 'Times the kernel had no room for misses in the receive buffer.',
      queries: one(`sum(increase(missd_netlink_overruns_total{${DAEMONS}}[1h]))`, 'overruns'),
    },
    {
      ...{ kind: 'graph', title: 'Misses, by how they end', unit: 'ops', width: 12, stacked: true },
      description:
        'Resolved is what should be; unknown is nobody’s; shed is more than a port may ask; failed is trouble.',
      queries: one(rateBy('outcome', 'missd_resolutions_total'), '{{outcome}}'),
    },
    {
      ...{ kind: 'graph', title: 'Parts of the directory', unit: 'none', width: 6, max: 1 },
      description: '1 while it works: lookups of records, the feed of changes, the leases in memory.',
      queries: one(`min by (part) (missd_directory_part_up{${DAEMONS}})`, '{{part}}'),
    },
    {
      ...{ kind: 'graph', title: 'Lag of the feed', unit: 's', width: 6 },
      description: 'How late word of a changed record comes.',
      queries: one(`missd_directory_feed_lag_seconds{${DAEMONS}}`),
    },
    {
      ...{ kind: 'graph', title: 'Processor', unit: 'percentunit', width: 12 },
      description:
        'Of one core. What is read whole from the kernel’s tables is told apart; the event loop can do no more than 100 %.',
      queries: [
        { expr: rate('process_cpu_seconds_total'), legend: '{{instance}}' },
        { expr: rate('missd_table_dump_cpu_seconds_total'), legend: '{{instance}} reading tables' },
        { expr: rate('missd_event_loop_active_seconds_total'), legend: '{{instance}} event loop' },
      ],
    },
    {
      ...{ kind: 'graph', title: 'Memory', unit: 'bytes', width: 12 },
      description: 'About a kilobyte an entry above what an idle daemon takes.',
      queries: [
        { expr: `process_resident_memory_bytes{${DAEMONS}}`, legend: '{{instance}}' },
        { expr: `nodejs_heap_size_used_bytes{${DAEMONS}}`, legend: '{{instance}} heap' },
      ],
    },
  ],
};

const FAST: RowSpec = {
  title: 'Is it fast?',
  panels: [
    {
      ...{ kind: 'graph', title: 'Miss to entry', unit: 's', width: 12 },
      description:
        'Miss received to entry acknowledged by the kernel: what the first packet of a pair waits for.',
      queries: quantiles('missd_resolution_seconds', [0.5, 0.9, 0.99]),
    },
    {
      ...{ kind: 'graph', title: 'Where the time goes', unit: 's', width: 12, stacked: true },
      description: 'What a miss waited for on the average, stage by stage.',
      queries: one(
        `${rateBy('stage', 'missd_stage_seconds_sum')} / (${rateBy('stage', 'missd_stage_seconds_count')} > 0)`,
        '{{stage}}',
      ),
    },
    {
      ...{ kind: 'graph', title: 'Round trip to the directory', unit: 's', width: 8 },
      description: 'Whatever it carried, misses and checks.',
      queries: quantiles('missd_directory_lookup_seconds', [0.5, 0.99]),
    },
    {
      ...{ kind: 'graph', title: 'Change to tables', unit: 's', width: 8 },
      description: 'Word of a changed record to the tables in step with it.',
      queries: quantiles('missd_change_seconds', [0.5, 0.99]),
    },
    {
      ...{ kind: 'graph', title: 'In flight', unit: 'none', width: 8 },
      description: 'Misses being looked into. It should come back to nothing.',
      queries: one(`missd_misses_in_flight{${DAEMONS}}`),
    },
    {
      ...{ kind: 'graph', title: 'Delay of the event loop', unit: 's', width: 12 },
      description: 'How long a miss would have waited for the process to come back to it.',
      queries: quantiles('missd_event_loop_delay_seconds', [0.5, 0.99]),
    },
    {
      ...{ kind: 'graph', title: 'Collecting garbage', unit: 'percentunit', width: 12, stacked: true },
      description: 'Share of the time.',
      queries: one(rateBy('kind', 'nodejs_gc_duration_seconds_sum'), '{{kind}}'),
    },
  ],
};

const TABLES: RowSpec = {
  title: 'What is in the tables?',
  panels: [
    {
      ...{ kind: 'graph', title: 'Entries', unit: 'none', width: 8 },
      description: 'Held on the chosen devices.',
      queries: one(`sum by (table) (missd_device_entries{${DEVICES}})`, '{{table}}'),
    },
    {
      ...{ kind: 'graph', title: 'Neighbours, largest devices', unit: 'none', width: 8 },
      description: 'The ten devices that hold most.',
      queries: one(
        `topk(10, sum by (device) (missd_device_entries{${DEVICES},table="neighbour"}))`,
        '{{device}}',
      ),
    },
    {
      ...{ kind: 'graph', title: 'Misses, busiest devices', unit: 'ops', width: 8 },
      description: 'The ten devices that raise most.',
      queries: one(`topk(10, ${rateBy('device', 'missd_device_misses_total', DEVICES)})`, '{{device}}'),
    },
    {
      ...{ kind: 'graph', title: 'Corrections of the tables', unit: 'ops', width: 12 },
      description:
        'idle and withdrawn are the ordinary end of an entry. Restored and repaired: somebody else changes what is missd’s.',
      queries: one(rateBy('action', 'missd_reconcile_changes_total'), '{{action}}'),
    },
    {
      ...{ kind: 'graph', title: 'Remembered as nobody’s', unit: 'none', width: 6 },
      description: 'Addresses that are not asked for again for --negative-lifetime.',
      queries: one(`missd_absent_addresses{${DAEMONS}}`),
    },
    {
      ...{ kind: 'graph', title: 'Entries that gave way', unit: 'ops', width: 6 },
      description:
        'Evicted by newer ones: one port holds more than its quarter, or all more than --max-entries.',
      queries: one(rateBy('reason', 'missd_evictions_total'), '{{reason}}'),
    },
    {
      ...{ kind: 'table', title: 'Devices', unit: 'none', width: 24 },
      description: 'Neighbours held, with what each device is.',
      queries: one(
        `sum by (instance, device) (missd_device_entries{${DEVICES},table="neighbour"}) * on (instance, device) group_left (vni, strategy, topology) missd_device_info{${DEVICES}}`,
        '',
      ),
    },
  ],
};

const WHY: RowSpec = {
  title: 'Why not?',
  panels: [
    {
      ...{ kind: 'graph', title: 'Not resolved', unit: 'ops', width: 8 },
      description:
        'Of the chosen devices. unknown: no record. local: it lives here. shed: the port asks too much. failed: directory or kernel.',
      queries: one(
        rateBy('outcome', 'missd_device_resolutions_total', `${DEVICES},outcome!="resolved"`),
        '{{outcome}}',
      ),
    },
    {
      ...{ kind: 'graph', title: 'Misses that needed no answer', unit: 'ops', width: 8 },
      description:
        'in_flight: being looked up already. negative: nobody’s a moment ago. duplicate: told several times.',
      queries: one(rateBy('reason', 'missd_misses_ignored_total'), '{{reason}}'),
    },
    {
      ...{ kind: 'graph', title: 'Told to guests', unit: 'ops', width: 8 },
      description: 'Without an answer of ours a guest waits for its own retry.',
      queries: one(rateBy('outcome', 'missd_announcements_total'), '{{outcome}}'),
    },
    {
      ...{ kind: 'graph', title: 'Directory against host', unit: 'ops', width: 8 },
      description: 'Conflicts, by reason. The log has an example of each, once a minute.',
      queries: one(rateBy('reason', 'missd_conflicts_total'), '{{reason}}'),
    },
    {
      ...{ kind: 'graph', title: 'Malformed records', unit: 'ops', width: 8 },
      description: 'They count as absent.',
      queries: one(rateBy('reason', 'missd_directory_malformed_records_total'), '{{reason}}'),
    },
    {
      ...{ kind: 'graph', title: 'Refused by the kernel', unit: 'ops', width: 8 },
      description: 'Entries that could not be written; neighbour with ENOBUFS is gc_thresh3.',
      queries: one(rateBy('table', 'missd_write_failures_total'), '{{table}}'),
    },
    {
      ...{ kind: 'graph', title: 'Trouble with the directory', unit: 'ops', width: 8 },
      description: 'Round trips that failed, and times it went away.',
      queries: [
        { expr: rate('missd_directory_lookup_failures_total'), legend: '{{instance}} lookups failed' },
        { expr: rate('missd_directory_outages_total'), legend: '{{instance}} outages' },
      ],
    },
    {
      ...{ kind: 'graph', title: 'Lost on the way', unit: 'ops', width: 8 },
      description:
        'Messages that the kernel dropped for want of buffer, by socket, and those that could not be read.',
      queries: [
        { expr: rateBy('socket', 'missd_netlink_overruns_total'), legend: '{{socket}}' },
        { expr: `sum(${rate('missd_netlink_malformed_total')})`, legend: 'malformed' },
      ],
    },
    {
      ...{ kind: 'graph', title: 'Held back', unit: 'none', width: 8 },
      description: 'Ports limited in the kernel because they flood, and broadcasts dropped a second.',
      queries: [
        { expr: `sum(missd_throttled_ports{${DAEMONS}})`, legend: 'ports' },
        {
          expr: `sum(${rate('missd_broadcasts_dropped_total', DEVICES)}) or vector(0)`,
          legend: 'broadcasts',
        },
      ],
    },
  ],
};

export const ROWS: readonly RowSpec[] = [HEALTHY, FAST, TABLES, WHY];
