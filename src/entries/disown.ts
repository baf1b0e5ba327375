/** FDB rows with our marks that turn out to be somebody else's: left as they are, remembered, counted and named. */
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry } from '../base/vocabulary.ts';
import { signedByOthers } from './evidence.ts';
import type { InstallReport } from './report.ts';

/** Remembered on one device; what is beyond that is looked at again in every audit. */
const MOST_FOREIGN = 65_536;

/** What stands is somebody else's: it is neither held nor touched. */
export function disown(device: ServedDevice, row: FdbEntry, report: InstallReport): void {
  const { lladdr: mac, vtep } = row;
  const { tables, foreign, journal } = device;
  tables.deleteFdb(mac);
  if (vtep === undefined || foreign.get(mac) === vtep) return;
  if (foreign.size < MOST_FOREIGN || foreign.has(mac)) foreign.set(mac, vtep);
  journal.disown({ mac, vtep });
  report.foreign(device, `${mac} behind ${vtep}`);
}

/** The same for a row that may be gone by now. */
export function disownAll(device: ServedDevice, macs: readonly string[], report: InstallReport): void {
  if (macs.length === 0) return;
  const { namespace, ifindex, tables } = device;
  namespace.kernel.getFdb(macs.map((lladdr) => ({ ifindex, lladdr }))).forEach((row, index) => {
    if (row !== undefined) disown(device, row, report);
    else tables.deleteFdb(macs[index] ?? '');
  });
}

/**
 * Whether a row with our marks may give way to what its record says. At the first start without a journal that is so
 * without evidence: a previous release may have written it, and nothing may be blackholed.
 */
export function mayReplace(device: ServedDevice, { lladdr: mac, vtep = '' }: FdbEntry): boolean {
  const { tables, journal, foreign } = device;
  const held = tables.fdb.has(mac);
  const doubt = tables.unproven.get(mac);
  if (foreign.get(mac) === vtep || doubt === 'found') return false;
  // Before the tables are adopted, what a predecessor wrote is not held yet.
  const known = held || (!device.adopted && (journal.isNew || journal.wrote(mac, vtep)));
  return known && !signedByOthers(device, [mac]).has(mac);
}
