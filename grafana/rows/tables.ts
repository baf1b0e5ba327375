import type { RowSpec } from '../panels.ts';
import { DAEMONS, DEVICES, one, rateBy } from '../queries.ts';

export const TABLES: RowSpec = {
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
