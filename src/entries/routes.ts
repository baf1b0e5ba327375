/** Routes to leases as missd writes them: `CIDR via GATEWAY dev VXLAN onlink proto 77`. The protocol marks them as ours. */
import { type RouteWrite, isGone, isTaken } from '../kernel/kernel.ts';
import type { Routes, ServedDevice } from '../model/device.ts';
import type { Ip } from '../base/vocabulary.ts';
import { PROTOCOL } from './ownership.ts';
import type { InstallReport } from './report.ts';

export const routeWrite = (ifindex: number, op: RouteWrite['op'], cidr: string, gateway: Ip): RouteWrite => ({
  op,
  ifindex,
  cidr,
  gateway,
  protocol: PROTOCOL,
});

/** Reads our routes through a device. @throws KernelError */
export async function ourRoutes({ namespace, ifindex }: ServedDevice): Promise<Routes> {
  const rows = await namespace.kernel.routes(ifindex, PROTOCOL);
  return new Map(rows.flatMap(({ cidr, gateway }) => (gateway === undefined ? [] : [[cidr, gateway]])));
}

/**
 * Brings our routes through a device to the wanted ones. A foreign route of the same prefix wins and is reported.
 * @param stand our routes now in the kernel
 * @returns our routes in the kernel afterwards
 */
export function writeRoutes(
  device: ServedDevice,
  stand: Routes,
  wanted: Routes,
  report: InstallReport,
): Routes {
  const { ifindex, namespace } = device;
  const now = new Map(stand);
  const writes: RouteWrite[] = [];
  // Removals first, or a route of the same prefix could not be created.
  for (const [cidr, gateway] of stand)
    if (wanted.get(cidr) !== gateway) writes.push(routeWrite(ifindex, 'delete', cidr, gateway));
  for (const [cidr, gateway] of wanted)
    if (stand.get(cidr) !== gateway) writes.push(routeWrite(ifindex, 'create', cidr, gateway));
  if (writes.length === 0) return now;
  const refused = new Map(namespace.kernel.writeRoutes(writes).map(({ index, error }) => [index, error]));
  for (const [index, { op, cidr, gateway }] of writes.entries()) {
    const error = refused.get(index);
    if (error === undefined || (op === 'delete' && isGone(error))) {
      if (op === 'delete') now.delete(cidr);
      else now.set(cidr, gateway);
    } else if (op === 'create' && isTaken(error))
      report.conflict(device, 'foreign_route', `${cidr} has a lease, and another route by hand`);
    else report.failed(device, 'route', error);
  }
  return now;
}
