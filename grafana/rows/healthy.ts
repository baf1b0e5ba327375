import type { RowSpec } from '../panels.ts';
import { DAEMONS, one, rate, rateBy } from '../queries.ts';

export const HEALTHY: RowSpec = {
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
