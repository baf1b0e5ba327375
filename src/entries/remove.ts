/**
 * Takes entries out of the kernel's tables: neighbour before FDB entry, and only what is still ours at that moment. An
 * FDB row that another owner has signed meanwhile is theirs to remove.
 */
import { type EntryWrite, isGone } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';
import { disown } from './disown.ts';
import { signedByOthers } from './evidence.ts';
import { isOnProbation, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import type { InstallReport } from './report.ts';
import { fdbRemoval, neighbourRemoval } from './writes.ts';

/** Withdraws neighbours, and the FDB entries that no other held neighbour needs. @returns the MACs concerned */
export function withdrawNeighbours(
  device: ServedDevice,
  ips: readonly string[],
  report: InstallReport,
): ReadonlySet<string> {
  const macs = removeNeighbours(device, ips, report);
  withdrawFdb(
    device,
    [...macs].filter((mac) => device.tables.userCount(mac) === 0),
    report,
  );
  return macs;
}

/**
 * Withdraws neighbours alone. What an operator has put over ours meanwhile stays; missd no longer holds it either way.
 * @returns the MACs concerned
 */
export function removeNeighbours(
  device: ServedDevice,
  ips: readonly string[],
  report: InstallReport,
): ReadonlySet<string> {
  if (ips.length === 0) return new Set();
  const { tables, namespace, ifindex } = device;
  const rows = namespace.kernel.getNeighbours(ips.map((ip) => ({ ifindex, ip })));
  const writes: EntryWrite[] = [];
  const macs = new Set<string>();
  ips.forEach((ip, index) => {
    const held = tables.neighbours.get(ip);
    if (held !== undefined) macs.add(held.mac);
    tables.deleteNeighbour(ip);
    const row = rows[index];
    if (row !== undefined && (isOurNeighbour(row) || isOnProbation(row)))
      writes.push(neighbourRemoval(ifindex, ip));
  });
  remove(device, writes, 'neighbour', report);
  return macs;
}

/** Withdraws FDB entries, whoever needs them. */
export function withdrawFdb(device: ServedDevice, macs: readonly string[], report: InstallReport): void {
  if (macs.length === 0) return;
  const { tables, namespace, ifindex } = device;
  const rows = namespace.kernel.getFdb(macs.map((lladdr) => ({ ifindex, lladdr })));
  const signed = signedByOthers(device, macs);
  const writes: EntryWrite[] = [];
  macs.forEach((lladdr, index) => {
    const row = rows[index];
    const isOurs = tables.fdb.has(lladdr) && !tables.unproven.has(lladdr) && !signed.has(lladdr);
    tables.deleteFdb(lladdr);
    if (row === undefined || !isOurFdbEntry(row)) return;
    if (isOurs) writes.push(fdbRemoval(ifindex, lladdr));
    else disown(device, row, report);
  });
  remove(device, writes, 'fdb', report);
  // Behind the removal: of a process that is killed in between a line too many is left, not a row without one.
  device.journal.forget(macs.filter((mac) => !device.foreign.has(mac)));
}

function remove(
  device: ServedDevice,
  writes: EntryWrite[],
  table: 'neighbour' | 'fdb',
  report: InstallReport,
): void {
  if (writes.length === 0) return;
  for (const { error } of device.namespace.kernel.write(writes))
    if (!isGone(error)) report.failed(device, table, error);
}
