/**
 * What lives on this host gets no entry, whatever the directory says: with one, the VXLAN device would answer the
 * guest's own duplicate address detection, or hijack the gateway. A bridge looks into its own table before a frame
 * ever reaches the VXLAN device, so what it knows on another port decides too.
 */
import { groupBy } from '../base/group-by.ts';
import type { Placement } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry, Mac } from '../base/vocabulary.ts';
import { HEARD_JUST_NOW, bridgeRows, forgetBehindTunnel, forgetOnBridge } from './bridge-rows.ts';
import { isMade } from './ownership.ts';
import type { InstallReport } from './report.ts';

/** Refuses every placement whose address, MAC or VTEP is at home here. */
export function refuseLocal(
  placements: readonly Placement[],
  isOwnVtep: (vtep: string) => boolean,
  report: InstallReport,
  refuse: (index: number) => void,
): void {
  // First of all: a record that names this host is simply true, and whatever the bridge remembers of its guest stays.
  const remote: number[] = [];
  const own: Placement[] = [];
  placements.forEach((placement, index) => {
    if (!isOwnVtep(placement.answer.vtep)) remote.push(index);
    else {
      own.push(placement);
      refuse(index);
    }
  });
  // A question for what is here proves that the bridge sends it into the tunnel, or does not know it at all.
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
  /** Made by somebody, or heard from just now; otherwise a memory. */
  here: boolean;
}

/** @returns by placement where its bridge has the MAC; one round trip for each bridge, none for what is held already. */
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
      places.set(index, { device, row, here: isMade(row) || row.updatedAgo < HEARD_JUST_NOW });
    });
  }
  return places;
}
