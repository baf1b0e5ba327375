import { NTF_ROUTER } from '../kernel/netlink.ts';
import type { ServedDevice } from '../model/device.ts';
import { disown } from '../entries/disown.ts';
import { bridgeHalves, placeOf, readForeignMacs } from '../entries/evidence.ts';
import { isGroup } from '../base/mac.ts';
import { isStaleProbe, isOurFdbEntry, isOurNeighbour } from '../entries/ownership.ts';
import { replicasIn } from '../entries/replicas.ts';
import type { InstallReport } from '../entries/report.ts';
import { ADOPTED } from '../model/port-quotas.ts';
import type { FdbEntry, Mac } from '../base/vocabulary.ts';

/**
 * Adopts the predecessor's entries from the kernel. Their records are read afterwards; until then the entries serve, since
 * they were true a moment ago. Entries written meanwhile are newer and stay. An FDB entry that neither the journal nor a
 * neighbour proves to be ours is held as unproven; one that bears another owner's mark is not held.
 * @throws KernelError
 */
export async function adopt(device: ServedDevice, now: () => number, report: InstallReport): Promise<void> {
  const { kernel } = device.namespace;
  const { tables, ifindex, journal } = device;
  const rows = await kernel.fdb(ifindex);
  device.replicas = replicasIn(rows, journal);
  const marked = rows.filter((row) => row.vtep !== undefined && !isGroup(row.lladdr) && isOurFdbEntry(row));
  const neighbours = await kernel.neighbours(ifindex);
  const ours = neighbours.filter((row) => isOurNeighbour(row) || isStaleProbe(row));
  device.foreignMacs = await readForeignMacs(placeOf(device), neighbours);
  const named = new Set(ours.flatMap(({ lladdr }) => lladdr ?? []));
  const isProven = ({ lladdr, vtep = '' }: FdbEntry): boolean =>
    !journal.disowned(lladdr, vtep) && (journal.wrote(lladdr, vtep) || named.has(lladdr));
  const halves = bridgeHalves(
    placeOf(device),
    marked.filter((row) => !isProven(row)).map(({ lladdr }) => lladdr),
  );
  const isSigned = (mac: Mac): boolean => halves.has(mac) || device.foreignMacs.has(mac);
  for (const row of marked) {
    const { lladdr: mac, vtep = '' } = row;
    if (tables.fdb.has(mac)) continue;
    const proven = isProven(row);
    if (!proven && (isSigned(mac) || journal.disowned(mac, vtep))) {
      disown(device, row, report);
      continue;
    }
    const source = { kind: 'adopted' as const, name: mac };
    const router = (row.flags & NTF_ROUTER) !== 0;
    tables.setFdb({ mac, vtep, router, source, checkedAt: now(), usedAt: now() - row.usedAgo }, ADOPTED);
    if (!proven) tables.unproven.set(mac, journal.isNew ? 'upgrade' : 'found');
  }
  for (const { ip, lladdr: mac } of ours) {
    if (mac === undefined || tables.neighbours.has(ip)) continue;
    const source = { kind: 'adopted' as const, name: ip };
    tables.setNeighbour({ ip, mac, source, checkedAt: now(), usedAt: now() }, ADOPTED);
  }
  device.adopted = true;
}
