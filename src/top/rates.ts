/** Rates between two samples of a daemon. */
import type { AskedFor } from '../observe/top-addresses/report.ts';
import type { DeviceStatus } from '../observe/http/device-status.ts';
import type { Distribution, Status } from '../observe/http/status.ts';
import { quantile } from '../observe/metrics/quantile.ts';
import type { Sample } from './sample.ts';

/** One frame of `missd top`; the JSON of `--json`. Rates are per second, latencies in seconds. */
export interface Frame {
  time: Date;
  status: Status;
  /** Since the sample before; absent in the first frame of a daemon. */
  since?: Since;
}

export interface Since {
  seconds: number;
  misses: Record<string, number>;
  ignored: Record<string, number>;
  /** L2 and L3 together. */
  resolutions: Record<string, number>;
  overruns: number;
  shed: number;
  resolution: Percentiles;
  lookup: Percentiles;
  /** Misses by `device@namespace`. */
  devices: Record<string, number>;
  /** Misses by `address@device@namespace`, for addresses that are in both samples. */
  hottest: Record<string, number>;
}

/** The percentiles are undefined if nothing was counted. */
export interface Percentiles {
  count: number;
  p50: number | undefined;
  p90: number | undefined;
  p99: number | undefined;
}

/** The content of the screen: a frame; or, if the daemon does not answer, the reason and the last frame. */
export type View =
  { silent: string; time: Date; since: Date; last?: Frame } | (Frame & { silent?: undefined });

/** Makes the next view from a sample, and the view and the sample before. */
export function view(before: View | undefined, sample: Sample, last: Sample | undefined): View {
  const { time } = sample;
  if ('silent' in sample) {
    const { silent } = sample;
    if (before?.silent === undefined)
      return { silent, time, since: time, ...(before === undefined ? {} : { last: before }) };
    return { ...before, silent, time };
  }
  const { status } = sample;
  if (last === undefined || !('status' in last) || !isSame(last.status, status)) return { time, status };
  const since = between(last.status, status, (sample.at - last.at) / 1000);
  return { time, status, since };
}

/** Whether both samples are of one process: counters start at zero after a restart. */
const isSame = (before: Status, now: Status): boolean =>
  before.pid === now.pid && before.uptime <= now.uptime;

function between(before: Status, now: Status, seconds: number): Since {
  const rates = (of: Record<string, number>, earlier: Record<string, number> = {}): Record<string, number> =>
    Object.fromEntries(
      Object.entries(of).map(([name, count]) => [name, Math.max(0, count - (earlier[name] ?? 0)) / seconds]),
    );
  const resolutions = ({ resolutions: { l2 = {}, l3 = {} } }: Status): Record<string, number> =>
    Object.fromEntries(Object.keys(l3).map((outcome) => [outcome, (l2[outcome] ?? 0) + (l3[outcome] ?? 0)]));
  const both = rates(resolutions(now), resolutions(before));
  return {
    seconds,
    misses: rates(now.misses, before.misses),
    ignored: rates(now.ignored, before.ignored),
    resolutions: both,
    overruns: sum(rates(now.overruns, before.overruns)),
    shed: both['shed'] ?? 0,
    resolution: percentiles(now.latency.resolution, before.latency.resolution),
    lookup: percentiles(now.latency.lookup, before.latency.lookup),
    devices: rates(missesByDevice(now), missesByDevice(before)),
    hottest: known(rates, missesByAddress(now), missesByAddress(before)),
  };
}

/** An address that is not in the sample before has no rate, because its count then is unknown. */
function known(
  rates: (of: Record<string, number>, earlier: Record<string, number>) => Record<string, number>,
  of: Record<string, number>,
  earlier: Record<string, number>,
): Record<string, number> {
  return rates(Object.fromEntries(Object.entries(of).filter(([name]) => name in earlier)), earlier);
}

export function percentiles(now: Distribution, before?: Distribution): Percentiles {
  const counts = now.counts.map((count, bucket) => count - (before?.counts[bucket] ?? 0));
  const at = (quota: number): number | undefined => quantile(quota, now.bounds, counts);
  return {
    count: counts.reduce((total, one) => total + one, 0),
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
  };
}

export const deviceKey = ({ name, namespace }: Pick<DeviceStatus, 'name' | 'namespace'>): string =>
  `${name}@${namespace}`;
export const addressKey = ({ address, device, namespace }: AskedFor): string =>
  `${address}@${device}@${namespace}`;

const missesByDevice = ({ devices }: Status): Record<string, number> =>
  Object.fromEntries(devices.map((one) => [deviceKey(one), one.misses]));
const missesByAddress = ({ hottest }: Status): Record<string, number> =>
  Object.fromEntries(hottest.map((one) => [addressKey(one), one.asked]));

export const sum = (of: Record<string, number>): number =>
  Object.values(of).reduce((total, one) => total + one, 0);
