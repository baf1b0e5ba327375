/** The queries that panels are made of, in PromQL. */
import type { Query } from './panels.ts';

/** The chosen daemons, and of them the chosen devices. */
export const DAEMONS = 'job=~"$job",instance=~"$instance"';
export const DEVICES = `${DAEMONS},device=~"$device"`;

export const rate = (metric: string, labels = ''): string =>
  `rate(${metric}{${labels === '' ? DAEMONS : labels}}[$__rate_interval])`;
export const rateBy = (label: string, metric: string, labels = ''): string =>
  `sum by (${label}) (${rate(metric, labels)})`;
const quantile = (quota: number, histogram: string): string =>
  `histogram_quantile(${quota}, ${rateBy('le', `${histogram}_bucket`)})`;
export const quantiles = (histogram: string, quotas: readonly number[]): Query[] =>
  quotas.map((quota) => ({ expr: quantile(quota, histogram), legend: `p${quota * 100}` }));
export const one = (expr: string, legend = '{{instance}}'): Query[] => [{ expr, legend }];
/** 0 where there is no such series, as on hosts that have joined no network. */
export const orNone = (expr: string): string => `${expr} or on () vector(0)`;
