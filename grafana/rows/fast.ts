import type { RowSpec } from '../panels.ts';
import { DAEMONS, one, quantiles, rateBy } from '../queries.ts';

export const FAST: RowSpec = {
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
