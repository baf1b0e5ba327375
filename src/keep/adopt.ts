import { NTF_ROUTER } from '../kernel/netlink.ts';
import type { ServedDevice } from '../served/device.ts';
import { isGroup, replicasIn } from '../tables/replicas.ts';
import { ADOPTED } from '../tables/shares.ts';
import { isOnProbation, isOurFdbEntry, isOurNeighbour } from '../tables/ownership.ts';

/**
 * Takes over what a predecessor wrote, as it stands in the kernel. Its records are read afterwards; until then the
 * entries serve, since they were true a moment ago. What has been answered meanwhile is newer and stays.
 * @throws KernelError
 */
export async function adopt(device: ServedDevice, now: () => number): Promise<void> {
  const { kernel } = device.namespace;
  const { tables, ifindex } = device;
  const rows = await kernel.fdb(ifindex);
  device.replicas = replicasIn(rows);
  for (const row of rows) {
    const { lladdr: mac, vtep } = row;
    if (vtep === undefined || isGroup(mac) || !isOurFdbEntry(row) || tables.fdb.has(mac)) continue;
    const source = { kind: 'adopted' as const, name: mac };
    const router = (row.flags & NTF_ROUTER) !== 0;
    tables.setFdb({ mac, vtep, router, source, checkedAt: now(), usedAt: now() - row.usedAgo }, ADOPTED);
  }
  for (const row of await kernel.neighbours(ifindex)) {
    const { ip, lladdr: mac } = row;
    if (mac === undefined || !(isOurNeighbour(row) || isOnProbation(row)) || tables.neighbours.has(ip))
      continue;
    const source = { kind: 'adopted' as const, name: ip };
    tables.setNeighbour({ ip, mac, source, checkedAt: now(), usedAt: now() }, ADOPTED);
  }
  device.adopted = true;
}
