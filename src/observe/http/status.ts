/** The JSON of `/status`: all data of `missd status` and `missd top`. Times are in seconds. */
import { type AskedFor, hottest, longestUnknown } from '../top-addresses/report.ts';
import type { Observed } from '../observed.ts';
import { directoryNamed } from '../../directory/named.ts';
import { monotonic } from '../../base/clock.ts';
import type { JoinState } from '../../join/joined.ts';
import type { PublishState } from '../../publish/publishing.ts';
import type { PlainHistogram } from '../../base/histogram.ts';
import { type Unserved, unserved } from '../../links/unserved.ts';
import { portStatus } from './port-status.ts';
import { VERSION } from '../../base/version.ts';
import { type DeviceStatus, deviceStatus } from './device-status.ts';

export interface Status {
  version: string;
  pid: number;
  uptime: number;
  ready: boolean;
  missing: string[];
  /** `address`: the URL without credentials. `forSeconds`: how long the directory has been up or down. */
  directory: { kind: string; address: string; up: boolean; reason?: string; forSeconds: number };
  devices: DeviceStatus[];
  /** Devices that are not served, and why. */
  unserved: Unserved[];
  /** Networks of `--join`. */
  networks: JoinState[];
  /** What this host publishes in them. */
  publishing: PublishState[];
  misses: Record<string, number>;
  ignored: Record<string, number>;
  resolutions: Record<string, Record<string, number>>;
  inFlight: number;
  announcements: Record<string, number>;
  conflicts: Record<string, number>;
  evictions: Record<string, number>;
  writeFailures: Record<string, number>;
  overruns: Record<string, number>;
  /** `resolution`: from the miss received to the entry acknowledged. `lookup`: one round trip to the directory. */
  latency: { resolution: Distribution; lookup: Distribution };
  /** Entries held on all devices, and their maximum. */
  entries: { held: number; most: number };
  /** Ports with dropped questions, the port with most first. */
  shed: { device: string; port: string; shed: number }[];
  /** Ports that the kernel limits now. */
  throttled: { device: string; port: string }[];
  /** VNIs that lost their records all at once, and how much longer their entries stay. */
  guard: { vni: number; entries: number; forSeconds: number }[];
  hottest: AskedFor[];
  unknown: AskedFor[];
  /** Resident memory, bytes. */
  memory: number;
}

/** A histogram since the start of the daemon. The difference of two is the histogram of the time between them. */
export interface Distribution {
  /** Ascending upper bounds of the buckets, seconds; one more bucket counts all values above. */
  bounds: number[];
  /** Not cumulative. */
  counts: number[];
  sum: number;
}

/** Ports in the list `shed`. */
const MOST_PORTS = 20;

export function statusOf(daemon: Observed): Status {
  const { counters, host, options, readiness } = daemon;
  const state = readiness.directory;
  const now = monotonic();
  const seconds = (since: number): number => Math.round((now - since) / 1000);
  const missing = readiness.missing();
  const devices = host.devices();
  return {
    version: VERSION,
    pid: process.pid,
    uptime: seconds(daemon.startedAt),
    ready: missing.length === 0,
    missing,
    directory: {
      ...directoryNamed(options),
      up: state.up,
      ...(state.up ? {} : { reason: state.reason }),
      forSeconds: seconds(readiness.directorySince),
    },
    devices: devices.map((device) => deviceStatus(device, now)),
    unserved: unserved(host, options.device),
    networks: daemon.networks.joins.states(),
    publishing: daemon.networks.publishing.states(),
    misses: counters.misses,
    ignored: counters.ignored,
    resolutions: counters.resolutions,
    inFlight: daemon.admission.inFlight,
    announcements: counters.announcements,
    conflicts: counters.conflicts,
    evictions: counters.evictions,
    writeFailures: counters.writeFailures,
    overruns: counters.overruns,
    latency: {
      resolution: distribution(counters.resolutionSeconds),
      lookup: distribution(counters.lookupSeconds),
    },
    entries: {
      held: devices.reduce((sum, { tables }) => sum + tables.quotas.size, 0),
      most: options.maxEntries,
    },
    shed: devices
      .flatMap((device) =>
        portStatus(device).map(({ name, shed }) => ({ device: device.name, port: name, shed })),
      )
      .filter(({ shed }) => shed > 0)
      .sort((one, other) => other.shed - one.shed)
      .slice(0, MOST_PORTS),
    throttled: daemon.throttle.held().map(({ device, port }) => ({
      device: device.name,
      port: device.namespace.portName(port),
    })),
    guard: daemon.reconciler.guard.kept().map(({ vni, entries, until }) => ({
      vni,
      entries,
      forSeconds: Math.max(0, -seconds(until)),
    })),
    hottest: hottest(devices, now),
    unknown: longestUnknown(devices, now),
    memory: process.memoryUsage.rss(),
  };
}

function distribution(histogram: PlainHistogram): Distribution {
  const cumulative = histogram.cumulative().map(({ count }) => count);
  return {
    bounds: [...histogram.bounds],
    counts: cumulative.map((count, bucket) => count - (cumulative[bucket - 1] ?? 0)),
    sum: histogram.sum,
  };
}
