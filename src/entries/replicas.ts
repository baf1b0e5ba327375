/** The entries of head-end replication: one per group, with a remote for every host that a broadcast is copied to. */
import type { Journal } from '../model/journal.ts';
import { type EntryWrite, isGone } from '../kernel/kernel.ts';
import type { Replicas, ServedDevice } from '../model/device.ts';
import type { FdbEntry, Ip, Mac } from '../base/vocabulary.ts';
import { isGroup } from '../base/mac.ts';
import { OUR_FDB, isOurFdbEntry } from './ownership.ts';
import type { InstallReport } from './report.ts';
import { viaOf } from './writes.ts';

/**
 * Our replication entries among the rows of a dump, which has one row per remote. A row is ours if the journal has it;
 * without an earlier journal, every row with our marks is ours.
 */
export function replicasIn(rows: readonly FdbEntry[], journal: Journal): Replicas {
  const replicas = new Map<Mac, Set<Ip>>();
  for (const row of rows) {
    if (row.vtep === undefined || !isGroup(row.lladdr) || !isOurFdbEntry(row)) continue;
    if (!journal.isNew && !journal.wrote(row.lladdr, row.vtep)) continue;
    const vteps = replicas.get(row.lladdr);
    if (vteps === undefined) replicas.set(row.lladdr, new Set([row.vtep]));
    else vteps.add(row.vtep);
  }
  return replicas;
}

/**
 * Brings the replication entries of a device to the wanted VTEPs. A group with a foreign entry is reported and left
 * alone: our remote would join the foreign entry.
 * @returns the entries now in the kernel
 */
export function writeReplicas(
  device: ServedDevice,
  groups: readonly Mac[],
  vteps: ReadonlySet<Ip>,
  report: InstallReport,
): Replicas {
  const { ifindex, namespace, replicas: before } = device;
  const concerned = [...new Set([...groups, ...before.keys()])];
  const rows = namespace.kernel.getFdb(concerned.map((lladdr) => ({ ifindex, lladdr })));
  const now = new Map<Mac, Set<Ip>>();
  const writes: (EntryWrite & { table: 'fdb'; vtep: Ip })[] = [];
  concerned.forEach((lladdr, index) => {
    const row = rows[index];
    const wanted = groups.includes(lladdr) ? vteps : new Set<Ip>();
    if (row !== undefined && !isOurFdbEntry(row)) {
      if (wanted.size > 0)
        report.conflict(device, 'foreign_fdb', `${lladdr} is replicated to ${row.vtep ?? 'nowhere'} by hand`);
      return;
    }
    const stand = row === undefined ? new Set<Ip>() : new Set(before.get(lladdr) ?? []);
    now.set(lladdr, stand);
    const write = (op: 'append' | 'delete', vtep: Ip): void => {
      writes.push({ table: 'fdb', op, ifindex, lladdr, vtep, ...OUR_FDB, via: viaOf(device, vtep) });
    };
    for (const vtep of wanted) if (!stand.has(vtep)) write('append', vtep);
    // Deletes follow appends: a group that lost its last remote would get a new entry.
    for (const vtep of stand) if (!wanted.has(vtep)) write('delete', vtep);
  });
  device.journal.intend(
    writes.flatMap(({ op, lladdr, vtep }) => (op === 'append' ? [{ mac: lladdr, vtep }] : [])),
  );
  const refused = new Map(
    writes.length === 0 ? [] : namespace.kernel.write(writes).map(({ index, error }) => [index, error]),
  );
  writes.forEach(({ op, lladdr, vtep }, index) => {
    const error = refused.get(index);
    if (error !== undefined && !(op === 'delete' && isGone(error))) report.failed(device, 'fdb', error);
    else if (op === 'append') now.get(lladdr)?.add(vtep);
    else now.get(lladdr)?.delete(vtep);
  });
  return new Map([...now].filter(([, stand]) => stand.size > 0));
}
