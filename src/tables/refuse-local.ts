/**
 * What lives on this host gets no entry, whatever the directory says: with one, the VXLAN device would answer the
 * guest's own duplicate address detection, or hijack the gateway. A bridge looks into its own table before a frame
 * ever reaches the VXLAN device, so what it knows on another port decides too.
 */
import { isBridgeGone, isGone } from '../kernel/kernel.ts';
import { NTF_MASTER } from '../kernel/netlink.ts';
import type { Placement } from '../resolve/question.ts';
import type { ServedDevice } from '../served/device.ts';
import type { FdbEntry, Mac } from '../vocabulary.ts';
import { isPermanent } from './ownership.ts';
import type { InstallReport } from './report.ts';

/** Refuses every placement whose address, MAC or VTEP is at home here. */
export function refuseLocal(
  placements: readonly Placement[],
  isOwnVtep: (vtep: string) => boolean,
  report: InstallReport,
  refuse: (index: number) => void,
): void {
  const places = bridgePlaces(placements);
  forgetStale(places.values(), report);
  const conflict = (index: number, reason: 'assigned_here' | 'bridge_knows_mac'): void => {
    refuse(index);
    const placement = placements[index];
    if (placement === undefined) return;
    const { device, ip, answer } = placement;
    report.conflict(
      device,
      reason,
      `${ip ?? answer.mac} is ${answer.mac} behind ${answer.vtep} by the directory`,
    );
  };
  placements.forEach(({ device, ip, answer }, index) => {
    // A record that names this host is simply true; one that names another for what is here is a conflict.
    if (isOwnVtep(answer.vtep)) refuse(index);
    else if (ip !== undefined && device.namespace.isAssigned(ip)) conflict(index, 'assigned_here');
    else if (places.get(index)?.here === true) conflict(index, 'bridge_knows_mac');
  });
}

/**
 * A guest that answers at this moment has just been heard: the same ARP request that raised the miss reached it too.
 * What the bridge has not heard for longer is a memory of where the MAC was.
 */
const HEARD_JUST_NOW = 2_000; // ms

/** A MAC that the bridge has on a port other than the VXLAN device. */
interface BridgePlace {
  device: ServedDevice;
  row: FdbEntry;
  /** Permanent, or heard from just now; otherwise a memory. */
  here: boolean;
}

/** @returns by placement where its bridge has the MAC; one round trip for each bridge, none for what is held already. */
function bridgePlaces(placements: readonly Placement[]): ReadonlyMap<number, BridgePlace> {
  const asked = new Map<ServedDevice, { indexes: number[]; macs: Mac[] }>();
  placements.forEach(({ device, answer }, index) => {
    if (device.bridge === 0 || device.tables.fdb.has(answer.mac)) return;
    let here = asked.get(device);
    if (here === undefined) asked.set(device, (here = { indexes: [], macs: [] }));
    here.indexes.push(index);
    here.macs.push(answer.mac);
  });
  const places = new Map<number, BridgePlace>();
  for (const [device, { indexes, macs }] of asked) {
    bridgeRows(device, macs).forEach((row, position) => {
      const index = indexes[position];
      if (index === undefined || row === undefined || row.ifindex === device.ifindex) return;
      places.set(index, { device, row, here: isPermanent(row) || row.updatedAgo < HEARD_JUST_NOW });
    });
  }
  return places;
}

/** What the device's bridge has of these MACs; nothing where the bridge is gone. @throws KernelError */
function bridgeRows({ bridge, namespace }: ServedDevice, macs: readonly Mac[]): (FdbEntry | undefined)[] {
  if (bridge === 0 || macs.length === 0) return [];
  try {
    return namespace.kernel.getBridgeFdb(bridge, macs);
  } catch (error) {
    // Word of that is on its way.
    if (isBridgeGone(error)) return [];
    throw error;
  }
}

/** The bridge would send frames for a guest that moved away to its old port for as long as it remembers (300 s). */
function forgetStale(places: Iterable<BridgePlace>, report: InstallReport): void {
  for (const { device, row, here } of places) if (!here) forgetOnBridge(device, row, report);
}

/** An endpoint that came to this host: what the bridge learned of its MAC from the tunnel would send frames there still. */
export function forgetBehindTunnel(
  device: ServedDevice,
  macs: readonly string[],
  report: InstallReport,
): void {
  for (const row of bridgeRows(device, macs))
    if (row?.ifindex === device.ifindex && !isPermanent(row)) forgetOnBridge(device, row, report);
}

function forgetOnBridge(device: ServedDevice, row: FdbEntry, report: InstallReport): void {
  const [refusal] = device.namespace.kernel.write([
    { table: 'fdb', op: 'delete', ifindex: row.ifindex, lladdr: row.lladdr, state: 0, flags: NTF_MASTER },
  ]);
  if (refusal === undefined) report.bridgeForgot(device, row.lladdr);
  else if (!isGone(refusal.error)) report.failed(device, 'bridge', refusal.error);
}

/**
 * Records that changed to another host: what the bridge remembers of those MACs on a guest's port goes, however fresh,
 * because the record is newer. A permanent entry is reported.
 */
export function forgetMovedAway(device: ServedDevice, macs: readonly string[], report: InstallReport): void {
  for (const row of bridgeRows(device, macs)) {
    if (row === undefined || row.ifindex === device.ifindex) continue;
    if (isPermanent(row))
      report.conflict(device, 'bridge_knows_mac', `${row.lladdr} is permanent on another port`);
    else forgetOnBridge(device, row, report);
  }
}
