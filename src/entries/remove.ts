/**
 * Removes entries from the kernel's tables: neighbours before FDB entries, and only rows that are still ours. An FDB row
 * that another owner has signed meanwhile stays.
 */
import { type EntryWrite, isGone } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';
import { disown } from './disown.ts';
import { signedByOthers } from './evidence.ts';
import { isStaleProbe, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import type { InstallReport } from './report.ts';
import { fdbRemoval, neighbourRemoval } from './writes.ts';

/** Withdraws neighbours, and the FDB entries that no other held neighbour needs. @returns MACs of the neighbours */
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
 * Withdraws neighbours alone. An operator's row in place of ours stays. missd stops holding the address in both cases.
 * @returns MACs of the neighbours
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
    if (row !== undefined && (isOurNeighbour(row) || isStaleProbe(row)))
      writes.push(neighbourRemoval(ifindex, ip));
  });
  remove(device, writes, 'neighbour', report);
  return macs;
}

/** Withdraws FDB entries, even those that neighbours need. */
export function withdrawFdb(device: ServedDevice, macs: readonly string[], report: InstallReport): void {
  if (macs.length === 0) return;
  const { tables, namespace, ifindex } = device;
  const rows = namespace.kernel.getFdb(macs.map((lladdr) => ({ ifindex, lladdr })));
  const signed = signedByOthers(device, macs);
  const writes: EntryWrite[] = [];
  macs.forEach((lladdr, index) => {
    const row = rows[index];
    const isOurs = tables.fdb.has(lladdr) && !tables.unproven.has(lladdr) && !signed.has(lladdr);
    if (row !== undefined && isOurFdbEntry(row)) {
      if (isOurs) writes.push(fdbRemoval(ifindex, lladdr));
      else disown(device, row, report);
    }
    tables.deleteFdb(lladdr);
  });
  remove(device, writes, 'fdb', report);
  // After the removal: a process killed in between leaves a line without a row, not a row without a line.
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
