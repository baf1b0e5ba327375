import type { RowSpec } from '../panels.ts';
import { DAEMONS, DEVICES, one, rate, rateBy } from '../queries.ts';

export const WHY: RowSpec = {
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
