import { L2_PORT, type Lane, UNKNOWN_PORT } from '../resolve/lane.ts';
import type { Host } from '../served/host.ts';
import { askingPorts } from '../served/ports.ts';

/** No interface can be called so: names have no space (net/core/dev.c, `dev_valid_name`). */
const OTHERS = [
  [UNKNOWN_PORT, 'not known'],
  [L2_PORT, 'of L2 misses'],
] as const;

/** A sample per device and port that may ask, from the first moment on and for as long as the port is there. */
export function byPort(host: Host, read: (lane: Lane) => number): [Record<string, string>, number][] {
  const samples: [Record<string, string>, number][] = [];
  for (const { links, devices } of host.namespaces.values()) {
    const ports = askingPorts(links.values(), devices.values());
    for (const { name, ifindex, lanes } of devices.values()) {
      const sample = (index: number, port: string): void => {
        const lane = lanes.get(index);
        samples.push([{ device: name, port }, lane === undefined ? 0 : read(lane)]);
      };
      for (const { port, vxlan } of ports)
        if (vxlan === ifindex) sample(port, links.get(port)?.name ?? String(port));
      for (const [index, port] of OTHERS) sample(index, port);
    }
  }
  return samples;
}
