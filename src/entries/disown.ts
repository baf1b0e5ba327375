/** Foreign FDB rows that carry our marks: they stay, and are remembered, counted and logged. */
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry } from '../base/vocabulary.ts';
import { signedByOthers } from './evidence.ts';
import type { InstallReport } from './report.ts';
import { handOver } from './shared-rows.ts';

/** Foreign rows remembered on one device; every audit checks the others again. */
const MOST_FOREIGN = 65_536;

/** Marks a row as foreign: missd neither holds nor changes it. */
export function disown(device: ServedDevice, row: FdbEntry, report: InstallReport): void {
  const { lladdr: mac, vtep } = row;
  const { tables, foreign, journal, namespace } = device;
  // Other rows have the port that their owner wrote.
  if (tables.fdb.has(mac) && !tables.unproven.has(mac)) handOver(namespace.kernel, [row]);
  tables.deleteFdb(mac);
  if (vtep === undefined || foreign.get(mac) === vtep) return;
  if (foreign.size < MOST_FOREIGN || foreign.has(mac)) foreign.set(mac, vtep);
  journal.disown({ mac, vtep });
  report.foreign(device, `${mac} behind ${vtep}`);
}

/** Does the same for rows that may be gone by now. */
export function disownAll(device: ServedDevice, macs: readonly string[], report: InstallReport): void {
  if (macs.length === 0) return;
  const { namespace, ifindex, tables } = device;
  namespace.kernel.getFdb(macs.map((lladdr) => ({ ifindex, lladdr }))).forEach((row, index) => {
    if (row !== undefined) disown(device, row, report);
    else tables.deleteFdb(macs[index] ?? '');
  });
}

/**
 * Whether a row with our marks may be replaced by what its record says. The first start without a journal needs no
 * evidence: a previous release may have written the row, and traffic must not be blackholed.
 */
export function mayReplace(device: ServedDevice, { lladdr: mac, vtep = '' }: FdbEntry): boolean {
  const { tables, journal, foreign } = device;
  const held = tables.fdb.has(mac);
  const doubt = tables.unproven.get(mac);
  if (foreign.get(mac) === vtep || doubt === 'found') return false;
  // Before adoption the rows of the previous process are not held yet.
  const known = held || (!device.adopted && (journal.isNew || journal.wrote(mac, vtep)));
  return known && !signedByOthers(device, [mac]).has(mac);
}
