import { addressesOf } from '../top-addresses/device-addresses.ts';
import { questionsOf } from '../../model/device-questions.ts';
import type { Strategy } from '../../model/strategy.ts';
import type { ServedDevice } from '../../model/device.ts';
import { type PortStatus, portStatus } from './port-status.ts';

/** A served device, as `/status` shows it. */
export interface DeviceStatus {
  name: string;
  namespace: string;
  ifindex: number;
  vni: number;
  local?: string;
  topology: 'bridged' | 'routed';
  strategy: Strategy;
  up: boolean;
  /** Entries of an earlier daemon are adopted. */
  adopted: boolean;
  /** The adopted entries have been compared with the directory. */
  verified: boolean;
  /** Seconds since the last audit of the device's tables. */
  auditedSeconds?: number;
  /** Misses so far; an estimate in a storm. */
  misses: number;
  neighbours: number;
  fdb: number;
  routes: number;
  absent: number;
  /** FDB entries of other owners that look like missd's. */
  foreign: number;
  /** The VTEP of a foreign all-zeros entry: frames to unknown MACs go there and raise no L2 miss. */
  defaultRemote?: string;
  inFlight: number;
  /** Bridge ports that have asked. */
  ports: PortStatus[];
}

/** @param now monotonic ms */
export function deviceStatus(device: ServedDevice, now: number): DeviceStatus {
  const { link, namespace, bridge, strategy, adopted, verified, auditedAt } = device;
  return {
    name: link.name,
    namespace: namespace.name,
    ifindex: link.ifindex,
    vni: link.vxlan.vni,
    ...(link.vxlan.local === undefined ? {} : { local: link.vxlan.local }),
    topology: bridge === 0 ? 'routed' : 'bridged',
    strategy,
    up: link.up,
    adopted,
    verified,
    ...(auditedAt === undefined ? {} : { auditedSeconds: Math.round((now - auditedAt) / 1000) }),
    misses: addressesOf(device).misses,
    neighbours: device.tables.neighbours.size,
    fdb: device.tables.fdb.size,
    routes: device.routes.size,
    absent: device.absent.size,
    foreign: device.foreign.size,
    ...(device.defaultRemote === undefined ? {} : { defaultRemote: device.defaultRemote }),
    inFlight: questionsOf(device).inFlight.size,
    ports: portStatus(device),
  };
}
