/**
 * Rows of the bridge's own FDB, which the bridge reads before a frame reaches the VXLAN device. missd removes only rows
 * that the bridge has learned; a row of an operator or another control plane is reported and stays.
 */
import { type EntryWrite, isBridgeGone, isGone } from '../kernel/kernel.ts';
import { NTF_MASTER } from '../kernel/netlink.ts';
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry, Mac } from '../base/vocabulary.ts';
import { isConfigured } from './ownership.ts';
import type { InstallReport } from './report.ts';

/**
 * Age in ms below which a learned row proves that the MAC is on that port: the ARP request that raised the miss reached
 * a local guest as well, and the bridge has just heard the guest's answer. An older row may be out of date.
 */
export const HEARD_JUST_NOW = 2_000;

/** The bridge's row of each MAC; empty where the bridge is gone. @throws KernelError */
export function bridgeRows(
  { bridge, namespace }: ServedDevice,
  macs: readonly Mac[],
): (FdbEntry | undefined)[] {
  if (bridge === 0 || macs.length === 0) return [];
  try {
    return namespace.kernel.getBridgeFdb(bridge, macs);
  } catch (error) {
    // The link event of the removal follows.
    if (isBridgeGone(error)) return [];
    throw error;
  }
}

/** Removes learned rows that send frames to local MACs into the tunnel. */
export function forgetBehindTunnel(device: ServedDevice, macs: readonly Mac[], report: InstallReport): void {
  forgetOnBridge(
    device,
    bridgeRows(device, macs).filter((row) => row?.ifindex === device.ifindex),
    report,
  );
}

/**
 * Removes learned rows on guest ports for MACs whose record now names another host. The record is newer than any row.
 * @returns ifindexes of the ports that had the rows
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

/** Removes learned rows, and reports configured ones. */
export function forgetOnBridge(
  device: ServedDevice,
  rows: readonly (FdbEntry | undefined)[],
  report: InstallReport,
): void {
  const learned: FdbEntry[] = [];
  for (const row of rows) {
    if (row === undefined) continue;
    if (isConfigured(row))
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
