/** The dashboard as Grafana imports it, built from panels.ts. `npm run grafana` writes it to dashboard.json. */
import { type Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  MappingType,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { type PanelSpec, type Query, ROWS } from './panels.ts';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const HEIGHT = { number: 4, graph: 8, table: 8 };

// The schema that is to follow it is read by the newest Grafana alone, this one by all.
/* eslint-disable @typescript-eslint/no-deprecated */
export function dashboard(): Dashboard {
  const builder = new DashboardBuilder('missd')
    .uid('missd')
    .description('VXLAN misses answered from the directory, and the entries that come of it')
    .tags(['missd', 'vxlan'])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(choice('job', 'Job', 'label_values(missd_build_info, job)'))
    .withVariable(choice('instance', 'Host', 'label_values(missd_build_info{job=~"$job"}, instance)'))
    .withVariable(
      choice(
        'device',
        'Device',
        'label_values(missd_device_info{job=~"$job",instance=~"$instance"}, device)',
      ),
    );
  for (const { title, panels } of ROWS) {
    builder.withRow(new RowBuilder(title));
    for (const spec of panels) builder.withPanel(panel(spec));
  }
  return builder.build();
}
/* eslint-enable @typescript-eslint/no-deprecated */

/** As it is committed. */
export const dashboardText = (): string => `${JSON.stringify(dashboard(), null, 2)}\n`;

const choice = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: 'All', value: '$__all' });

function panel(spec: PanelSpec): Builder<Panel> {
  switch (spec.kind) {
    case 'graph':
      return graph(spec);
    case 'number':
      return number(spec);
    case 'state':
      return state(spec);
    case 'table':
      return table(spec);
  }
}

function graph({ title, description, unit, width, queries, ...spec }: PanelSpec & { kind: 'graph' }) {
  const builder = new TimeseriesBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .min(0)
    .span(width)
    .height(HEIGHT.graph)
    .fillOpacity(spec.stacked === true ? 30 : 0)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (spec.max !== undefined) builder.max(spec.max);
  if (spec.stacked === true) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  for (const query of queries) builder.withTarget(target(query).range());
  return builder;
}

const big = ({ title, description, unit, width, queries }: PanelSpec): StatBuilder => {
  const builder = new StatBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(HEIGHT.number)
    .graphMode(BigValueGraphMode.None)
    .colorMode(BigValueColorMode.Value);
  for (const query of queries) builder.withTarget(target(query).instant());
  return builder;
};

const number = (spec: PanelSpec & { kind: 'number' }): StatBuilder => {
  const steps: Threshold[] = [{ value: null, color: 'green' }];
  if (spec.warn !== undefined && spec.warn !== spec.alarm) steps.push({ value: spec.warn, color: 'orange' });
  if (spec.alarm !== undefined) steps.push({ value: spec.alarm, color: 'red' });
  return big(spec).thresholds(thresholds(steps));
};

const state = (spec: PanelSpec & { kind: 'state' }): StatBuilder =>
  big(spec)
    .mappings([
      {
        type: MappingType.ValueToText,
        options: { '1': { text: spec.yes, color: 'green' }, '0': { text: spec.no, color: 'red' } },
      },
    ])
    .thresholds(
      thresholds([
        { value: null, color: 'red' },
        { value: 1, color: 'green' },
      ]),
    );

const thresholds = (steps: Threshold[]): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);

function table({ title, description, unit, width, queries }: PanelSpec & { kind: 'table' }): TableBuilder {
  const builder = new TableBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(HEIGHT.table)
    .transformations([
      { id: 'organize', options: { excludeByName: { Time: true }, renameByName: { Value: 'neighbours' } } },
    ]);
  for (const query of queries) builder.withTarget(target(query).instant().format(PromQueryFormat.Table));
  return builder;
}

const target = ({ expr, legend }: Query): DataqueryBuilder =>
  new DataqueryBuilder().expr(expr).legendFormat(legend).datasource(DATASOURCE);
