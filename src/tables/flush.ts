import { type Namespace, isGone } from '../kernel/kernel.ts';
import { isOnProbation, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import { PROTOCOL } from './ownership.ts';
import { routeWrite } from './routes.ts';
import { fdbRemoval, neighbourRemoval } from './writes.ts';

/** What was removed from one device. */
export interface Flushed {
  device: string;
  neighbours: number;
  fdb: number;
  routes: number;
}

/**
 * Removes missd's own entries from the VXLAN devices of a namespace: each before what it leads to, so that no route is
 * ever without its neighbour, and no neighbour without its FDB entry.
 * @param wanted devices to flush, by name or ifindex; empty for all
 * @throws KernelError
 */
export async function flush(namespace: Namespace, wanted: readonly (string | number)[]): Promise<Flushed[]> {
  const flushed: Flushed[] = [];
  for (const { ifindex, name, vxlan } of await namespace.links()) {
    if (vxlan === undefined || (wanted.length > 0 && !wanted.includes(name) && !wanted.includes(ifindex)))
      continue;
    const neighbours = (await namespace.neighbours(ifindex))
      .filter((row) => isOurNeighbour(row) || isOnProbation(row))
      .map(({ ip }) => neighbourRemoval(ifindex, ip));
    const fdb = (await namespace.fdb(ifindex))
      .filter(isOurFdbEntry)
      .map(({ lladdr }) => fdbRemoval(ifindex, lladdr));
    const routes = (await namespace.routes(ifindex, PROTOCOL)).flatMap(({ cidr, gateway }) =>
      gateway === undefined ? [] : [routeWrite(ifindex, 'delete', cidr, gateway)],
    );
    const left = namespace.writeRoutes(routes).find(({ error }) => !isGone(error));
    if (left !== undefined) throw left.error;
    const refused = namespace.write([...neighbours, ...fdb]).filter(({ error }) => !isGone(error));
    if (refused[0] !== undefined) throw refused[0].error;
    flushed.push({ device: name, neighbours: neighbours.length, fdb: fdb.length, routes: routes.length });
  }
  return flushed;
}
