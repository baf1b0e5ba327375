import { questionsOf } from '../../model/device-questions.ts';
import { L2_KNOWN, L2_PORT, UNKNOWN_PORT } from '../../model/port-lane.ts';
import type { ServedDevice } from '../../model/device.ts';

/** A bridge port that has asked through a device, as `/status` shows it. */
export interface PortStatus {
  name: string;
  /** Questions that were looked up in the directory. */
  lookups: number;
  /** Questions dropped. */
  shed: number;
}

/** Lanes without a port. The spaces keep these from being names of interfaces (net/core/dev.c, `dev_valid_name`). */
const OTHERS = new Map([
  [UNKNOWN_PORT, 'unknown port'],
  [L2_PORT, 'L2 misses'],
  [L2_KNOWN, 'L2 misses of known MACs'],
]);

export const portStatus = (device: ServedDevice): PortStatus[] =>
  [...questionsOf(device).lanes.values()].map(({ port, asked, dropped }) => ({
    name: OTHERS.get(port) ?? device.namespace.portName(port),
    lookups: asked,
    shed: dropped,
  }));
