import { type Namespace, isGone } from '../kernel/kernel.ts';
import { isOnProbation, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import { fdbRemoval, neighbourRemoval } from './writes.ts';

/** What was removed from one device. */
export interface Flushed {
  device: string;
  neighbours: number;
  fdb: number;
}

/**
 * Removes missd's own entries from the VXLAN devices of a namespace: neighbours first, so that no neighbour is ever
 * without its FDB entry.
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
    const refused = namespace.write([...neighbours, ...fdb]).filter(({ error }) => !isGone(error));
    if (refused[0] !== undefined) throw refused[0].error;
    flushed.push({ device: name, neighbours: neighbours.length, fdb: fdb.length });
  }
  return flushed;
}
