/**
 * A local endpoint gets no entry, whatever the directory says: with an entry, the VXLAN device would answer the guest's
 * own duplicate address detection, or hijack the gateway. The bridge reads its own FDB before a frame reaches the VXLAN
 * device, so a row on another port makes a MAC local too.
 */
import { groupBy } from '../base/group-by.ts';
import type { Placement } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry, Mac } from '../base/vocabulary.ts';
import { HEARD_JUST_NOW, bridgeRows, forgetBehindTunnel, forgetOnBridge } from './bridge-rows.ts';
import { isConfigured } from './ownership.ts';
import type { InstallReport } from './report.ts';

/** Refuses every placement whose address, MAC or VTEP is local. */
export function refuseLocal(
  placements: readonly Placement[],
  isOwnVtep: (vtep: string) => boolean,
  report: InstallReport,
  refuse: (index: number) => void,
): void {
  // First: a record that names this host is true, so the bridge's rows on guest ports stay.
  const remote: number[] = [];
  const own: Placement[] = [];
  placements.forEach((placement, index) => {
    if (!isOwnVtep(placement.answer.vtep)) remote.push(index);
    else {
      own.push(placement);
      refuse(index);
    }
  });
  // A miss for a local endpoint proves that the bridge sends its frames into the tunnel, or has no row of it.
  for (const [device, together] of groupBy(own, (placement) => placement.device))
    forgetBehindTunnel(device, [...new Set(together.map(({ answer }) => answer.mac))], report);
  const places = bridgePlaces(placements, remote);
  const stale = [...places.values()].filter(({ here }) => !here);
  for (const [device, together] of groupBy(stale, (place) => place.device))
    forgetOnBridge(
      device,
      together.map(({ row }) => row),
      report,
    );
  for (const index of remote) {
    const placement = placements[index];
    if (placement === undefined) continue;
    const { device, ip, answer } = placement;
    const conflict = (reason: 'assigned_here' | 'bridge_knows_mac'): void => {
      refuse(index);
      const what = `${ip ?? answer.mac} is ${answer.mac} behind ${answer.vtep} by the directory`;
      report.conflict(device, reason, what);
    };
    if (ip !== undefined && device.namespace.isAssigned(ip)) conflict('assigned_here');
    else if (places.get(index)?.here === true) conflict('bridge_knows_mac');
  }
}

/** A MAC that the bridge has on a port other than the VXLAN device. */
interface BridgePlace {
  device: ServedDevice;
  row: FdbEntry;
  /** Configured, or heard within `HEARD_JUST_NOW`; otherwise the row is out of date. */
  here: boolean;
}

/** @returns the bridge row of each placement's MAC; one round trip per bridge, none for MACs already held */
function bridgePlaces(
  placements: readonly Placement[],
  indexes: readonly number[],
): ReadonlyMap<number, BridgePlace> {
  const asked = new Map<ServedDevice, { indexes: number[]; macs: Mac[] }>();
  for (const index of indexes) {
    const placement = placements[index];
    if (placement === undefined) continue;
    const { device, answer } = placement;
    if (device.bridge === 0 || device.tables.fdb.has(answer.mac)) continue;
    let here = asked.get(device);
    if (here === undefined) asked.set(device, (here = { indexes: [], macs: [] }));
    here.indexes.push(index);
    here.macs.push(answer.mac);
  }
  const places = new Map<number, BridgePlace>();
  for (const [device, { indexes: of, macs }] of asked) {
    bridgeRows(device, macs).forEach((row, position) => {
      const index = of[position];
      if (index === undefined || row === undefined || row.ifindex === device.ifindex) return;
      places.set(index, { device, row, here: isConfigured(row) || row.updatedAgo < HEARD_JUST_NOW });
    });
  }
  return places;
}
