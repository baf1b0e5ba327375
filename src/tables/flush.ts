import { type EntryWrite, type Namespace, isGone } from '../kernel/kernel.ts';
import { NO_MAC, OUR_FDB, OUR_NEIGHBOUR, isOurFdbEntry, isOurNeighbour } from './ownership.ts';

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
      .filter(isOurNeighbour)
      .map<EntryWrite>(({ ip, lladdr = NO_MAC }) => ({
        table: 'neighbour',
        op: 'delete',
        ifindex,
        ip,
        lladdr,
        ...OUR_NEIGHBOUR,
      }));
    const fdb = (await namespace.fdb(ifindex))
      .filter(isOurFdbEntry)
      .map<EntryWrite>(({ lladdr }) => ({ table: 'fdb', op: 'delete', ifindex, lladdr, ...OUR_FDB }));
    const refused = namespace.write([...neighbours, ...fdb]).filter(({ error }) => !isGone(error));
    if (refused[0] !== undefined) throw refused[0].error;
    flushed.push({ device: name, neighbours: neighbours.length, fdb: fdb.length });
  }
  return flushed;
}
