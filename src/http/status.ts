import type { Strategy } from '../ahead/strategy.ts';
import type { Daemon } from '../daemon.ts';
import { monotonic } from '../clock.ts';
import type { ServedDevice } from '../served/device.ts';
import { VERSION } from '../version.ts';
import { type PortStatus, portStatus } from './port-status.ts';

/** What `/status` says and `missd status` prints. */
export interface Status {
  version: string;
  pid: number;
  /** Seconds. */
  uptime: number;
  ready: boolean;
  missing: string[];
  /** `forSeconds` how long it has been like that. */
  directory: { up: boolean; reason?: string; forSeconds?: number };
  devices: DeviceStatus[];
  misses: Record<string, number>;
  ignored: Record<string, number>;
  resolutions: Record<string, Record<string, number>>;
  inFlight: number;
  announcements: Record<string, number>;
  conflicts: Record<string, number>;
  overruns: Record<string, number>;
}

export interface DeviceStatus {
  name: string;
  namespace: string;
  ifindex: number;
  vni: number;
  local?: string;
  topology: 'bridged' | 'routed';
  strategy: Strategy;
  up: boolean;
  neighbours: number;
  fdb: number;
  routes: number;
  absent: number;
  inFlight: number;
  ports: PortStatus[];
}

function deviceStatus(device: ServedDevice): DeviceStatus {
  const { link, namespace, bridge, strategy } = device;
  return {
    name: link.name,
    namespace: namespace.name,
    ifindex: link.ifindex,
    vni: link.vxlan.vni,
    ...(link.vxlan.local === undefined ? {} : { local: link.vxlan.local }),
    topology: bridge === 0 ? 'routed' : 'bridged',
    strategy,
    up: link.up,
    neighbours: device.tables.neighbours.size,
    fdb: device.tables.fdb.size,
    routes: device.routes.size,
    absent: device.absent.size,
    inFlight: device.inFlight.size,
    ports: portStatus(device),
  };
}

export function statusOf(daemon: Daemon): Status {
  const { counters, directoryState: state } = daemon;
  const missing = daemon.missing();
  return {
    version: VERSION,
    pid: process.pid,
    uptime: Math.round((monotonic() - daemon.startedAt) / 1000),
    ready: missing.length === 0,
    missing,
    directory: state.up
      ? { up: true }
      : {
          up: false,
          reason: state.reason,
          forSeconds: Math.round((monotonic() - state.since) / 1000),
        },
    devices: daemon.host.devices().map(deviceStatus),
    misses: counters.misses,
    ignored: counters.ignored,
    resolutions: counters.resolutions,
    inFlight: daemon.admission.inFlight,
    announcements: counters.announcements,
    conflicts: counters.conflicts,
    overruns: counters.overruns,
  };
}
