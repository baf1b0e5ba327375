/**
 * Removes missd's own entries from a VXLAN device: routes, then neighbours, then FDB entries, so that no route is ever
 * without its neighbour and no neighbour without its FDB entry. FDB rows of other control planes look the same;
 * evidence.ts tells which are ours.
 */
import { type Namespace, isGone } from '../kernel/kernel.ts';
import type { Link } from '../base/vocabulary.ts';
import { bridgeHalves, readForeignMacs } from './evidence.ts';
import { isGroup } from '../base/mac.ts';
import type { JournalContent } from './journal.ts';
import { PROTOCOL, isStaleProbe, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import { routeWrite } from './routes.ts';
import { handOver } from './shared-rows.ts';
import { fdbRemoval, neighbourRemoval } from './writes.ts';

/** Entries removed from one device. */
export interface Flushed {
  device: string;
  neighbours: number;
  fdb: number;
  routes: number;
  /** FDB entries with our marks whose owner is another or unknown. They stay. */
  foreign: number;
}

/** Evidence of the owner of an FDB row, besides missd's neighbours. */
export interface FlushEvidence {
  wrote: (mac: string, vtep: string) => boolean;
  disowned: (mac: string, vtep: string) => boolean;
  /** The operator asks to remove every `extern_learn` row. */
  all: boolean;
}

export const journalEvidence = (journal: JournalContent | undefined, all = false): FlushEvidence => ({
  wrote: (mac, vtep) => journal?.ours.get(mac)?.includes(vtep) === true,
  disowned: (mac, vtep) => journal?.foreign.get(mac) === vtep,
  all,
});

/** @throws KernelError */
export async function flush(namespace: Namespace, link: Link, evidence: FlushEvidence): Promise<Flushed> {
  const { ifindex, name } = link;
  const rows = await namespace.neighbours(ifindex);
  const ours = rows.filter((row) => isOurNeighbour(row) || isStaleProbe(row));
  const bridge = link.bridgePort === undefined ? 0 : link.master;
  const place = { kernel: namespace, ifindex, bridge };
  const foreignMacs = await readForeignMacs(place, rows);
  const marked = (await namespace.fdb(ifindex)).filter(isOurFdbEntry);
  const halves = bridgeHalves(
    place,
    marked.map(({ lladdr }) => lladdr),
  );
  const named = new Set(ours.flatMap(({ lladdr }) => lladdr ?? []));
  const going = marked.filter(({ lladdr, vtep = '' }) => {
    if (evidence.all) return true;
    if (halves.has(lladdr) || foreignMacs.has(lladdr) || evidence.disowned(lladdr, vtep)) return false;
    return evidence.wrote(lladdr, vtep) || (!isGroup(lladdr) && named.has(lladdr));
  });
  const routes = (await namespace.routes(ifindex, PROTOCOL)).flatMap(({ cidr, gateway }) =>
    gateway === undefined ? [] : [routeWrite(ifindex, 'delete', cidr, gateway)],
  );
  const left = namespace.writeRoutes(routes).find(({ error }) => !isGone(error));
  if (left !== undefined) throw left.error;
  const neighbours = ours.map(({ ip }) => neighbourRemoval(ifindex, ip));
  // A group has a row for each remote, and some of them may be foreign.
  const fdb = going.map(({ lladdr, vtep }) => ({
    ...fdbRemoval(ifindex, lladdr),
    ...(isGroup(lladdr) && vtep !== undefined ? { vtep } : {}),
  }));
  // Rows with two owners stay for the other.
  const staying = new Set(marked);
  for (const row of going) staying.delete(row);
  handOver(
    namespace,
    [...staying].filter(({ lladdr }) => !isGroup(lladdr)),
  );
  const refused = namespace.write([...neighbours, ...fdb]).filter(({ error }) => !isGone(error));
  if (refused[0] !== undefined) throw refused[0].error;
  const foreign = marked.length - going.length;
  return { device: name, neighbours: neighbours.length, fdb: fdb.length, routes: routes.length, foreign };
}
