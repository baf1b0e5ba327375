/**
 * Where a bridge knows a MAC. The bridge looks into its own table before a frame ever reaches the VXLAN device, so
 * what it knows on another port decides, whatever the directory says.
 */
import type { Placement } from '../resolve/question.ts';
import type { ServedDevice } from '../served/device.ts';
import type { FdbEntry } from '../vocabulary.ts';
import { isPermanent } from './ownership.ts';

/**
 * A guest that answers at this moment has just been heard: the same ARP request that raised the miss reached it too.
 * What the bridge has not heard for longer is a memory of where the MAC was.
 */
const HEARD_JUST_NOW = 2_000; // ms

/** A MAC that the bridge has on a port other than the VXLAN device. */
export interface BridgePlace {
  device: ServedDevice;
  row: FdbEntry;
  /** Permanent, or heard from just now; otherwise a memory. */
  here: boolean;
}

/** @returns for each placement where its bridge has the MAC; one round trip for all, none for what is held already. */
export function bridgePlaces(placements: readonly Placement[]): (BridgePlace | undefined)[] {
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
