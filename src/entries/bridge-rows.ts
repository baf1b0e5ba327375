/**
 * Rows of the bridge's own table, which it reads before a frame ever reaches the VXLAN device. Only what the bridge has
 * learned is ever removed; a row that an operator or another control plane made is reported and stays.
 */
import { type EntryWrite, isBridgeGone, isGone } from '../kernel/kernel.ts';
import { NTF_MASTER } from '../kernel/netlink.ts';
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry, Mac } from '../base/vocabulary.ts';
import { isMade } from './ownership.ts';
import type { InstallReport } from './report.ts';

/**
 * A guest that answers at this moment has just been heard: the same ARP request that raised the miss reached it too.
 * What the bridge has not heard for longer is a memory of where the MAC was. Milliseconds.
 */
export const HEARD_JUST_NOW = 2_000;

/** What the device's bridge has of these MACs; nothing where the bridge is gone. @throws KernelError */
export function bridgeRows(
  { bridge, namespace }: ServedDevice,
  macs: readonly Mac[],
): (FdbEntry | undefined)[] {
  if (bridge === 0 || macs.length === 0) return [];
  try {
    return namespace.kernel.getBridgeFdb(bridge, macs);
  } catch (error) {
    // Word of that is on its way.
    if (isBridgeGone(error)) return [];
    throw error;
  }
}

/** Records say that these MACs are here: what the bridge learned of them from the tunnel would send their frames away. */
export function forgetBehindTunnel(device: ServedDevice, macs: readonly Mac[], report: InstallReport): void {
  forgetOnBridge(
    device,
    bridgeRows(device, macs).filter((row) => row?.ifindex === device.ifindex),
    report,
  );
}

/**
 * Records that changed to another host: what the bridge remembers of those MACs on a guest's port goes, however fresh,
 * because the record is newer.
 * @returns the ports that had them
 */
export function forgetMovedAway(
  device: ServedDevice,
  macs: readonly Mac[],
  report: InstallReport,
): ReadonlySet<number> {
  const rows = bridgeRows(device, macs).filter((row) => row !== undefined && row.ifindex !== device.ifindex);
  forgetOnBridge(device, rows, report);
  return new Set(rows.map((row) => row?.ifindex ?? 0));
}

/** Removes what the bridge has learned, and reports what somebody made. */
export function forgetOnBridge(
  device: ServedDevice,
  rows: readonly (FdbEntry | undefined)[],
  report: InstallReport,
): void {
  const learned: FdbEntry[] = [];
  for (const row of rows) {
    if (row === undefined) continue;
    if (isMade(row))
      report.conflict(
        device,
        'bridge_knows_mac',
        `${row.lladdr} is on ${device.namespace.portName(row.ifindex)} by an entry that the bridge has not learned`,
      );
    else learned.push(row);
  }
  if (learned.length === 0) return;
  const refusals = device.namespace.kernel.write(
    learned.map(({ ifindex, lladdr }) => bridgeRemoval(ifindex, lladdr)),
  );
  const refused = new Map(refusals.map(({ index, error }) => [index, error]));
  learned.forEach(({ lladdr }, index) => {
    const error = refused.get(index);
    if (error === undefined) report.bridgeForgot(device, lladdr);
    else if (!isGone(error)) report.failed(device, 'bridge', error);
  });
}

const bridgeRemoval = (ifindex: number, lladdr: Mac): EntryWrite => ({
  table: 'fdb',
  op: 'delete',
  ifindex,
  lladdr,
  state: 0,
  flags: NTF_MASTER,
});
