/**
 * What lives on this host gets no entry, whatever the directory says: with one, the VXLAN device would answer the
 * guest's own duplicate address detection, or hijack the gateway. A bridge looks into its own table before a frame
 * ever reaches the VXLAN device, so what it knows on another port decides too.
 */
import { isGone } from '../kernel/kernel.ts';
import { NTF_MASTER } from '../kernel/netlink.ts';
import type { Placement } from '../resolve/question.ts';
import type { ServedDevice } from '../served/device.ts';
import type { FdbEntry } from '../vocabulary.ts';
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
  forgetStale(places, report);
  placements.forEach(({ device, ip, answer }, index) => {
    const conflict = (reason: 'assigned_here' | 'bridge_knows_mac'): void => {
      refuse(index);
      report.conflict(
        device,
        reason,
        `${ip ?? answer.mac} is ${answer.mac} behind ${answer.vtep} by the directory`,
      );
    };
    // A record that names this host is simply true; one that names another for what is here is a conflict.
    if (isOwnVtep(answer.vtep)) refuse(index);
    else if (ip !== undefined && device.namespace.isAssigned(ip)) conflict('assigned_here');
    else if (places[index]?.here === true) conflict('bridge_knows_mac');
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

/** @returns for each placement where its bridge has the MAC; one round trip for all, none for what is held already. */
function bridgePlaces(placements: readonly Placement[]): (BridgePlace | undefined)[] {
  const asked: { index: number; device: ServedDevice }[] = [];
  const keys: { bridge: number; lladdr: string }[] = [];
  placements.forEach(({ device, answer }, index) => {
    if (device.bridge === 0 || device.tables.fdb.has(answer.mac)) return;
    asked.push({ index, device });
    keys.push({ bridge: device.bridge, lladdr: answer.mac });
  });
  const places = new Array<BridgePlace | undefined>(placements.length).fill(undefined);
  const rows = asked[0]?.device.namespace.kernel.getBridgeFdb(keys) ?? [];
  asked.forEach(({ index, device }, position) => {
    const row = rows[position];
    if (row === undefined || row.ifindex === device.ifindex) return;
    places[index] = { device, row, here: isPermanent(row) || row.updatedAgo < HEARD_JUST_NOW };
  });
  return places;
}

/** The bridge would send frames for a guest that moved away to its old port for as long as it remembers (300 s). */
function forgetStale(places: readonly (BridgePlace | undefined)[], report: InstallReport): void {
  for (const place of places) {
    if (place === undefined || place.here) continue;
    forgetOnBridge(place.device, place.row, report);
  }
}

/** An endpoint that came to this host: what the bridge learned of its MAC from the tunnel would send frames there still. */
export function forgetBehindTunnel(
  device: ServedDevice,
  macs: readonly string[],
  report: InstallReport,
): void {
  if (device.bridge === 0) return;
  const { kernel } = device.namespace;
  const rows = kernel.getBridgeFdb(macs.map((lladdr) => ({ bridge: device.bridge, lladdr })));
  for (const row of rows)
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
  if (device.bridge === 0 || macs.length === 0) return;
  const rows = device.namespace.kernel.getBridgeFdb(
    macs.map((lladdr) => ({ bridge: device.bridge, lladdr })),
  );
  for (const row of rows) {
    if (row === undefined || row.ifindex === device.ifindex) continue;
    if (isPermanent(row))
      report.conflict(device, 'bridge_knows_mac', `${row.lladdr} is permanent on another port`);
    else forgetOnBridge(device, row, report);
  }
}
