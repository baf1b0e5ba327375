/**
 * Finds the owner of an FDB row with missd's marks. zebra (FRR EVPN) and others write the same marks, so the marks prove
 * nothing. A row is missd's with evidence:
 *
 *   missd's journal says that it wrote the row              journal.ts; while missd runs, the desired tables say the same
 *   a neighbour of ours names its MAC
 *   its record says exactly this MAC and this VTEP          the row is unproven until its record has been read
 *
 * and never while another owner has signed the row: the bridge has the MAC on this device as `extern_learn` (zebra writes
 * both halves), or a neighbour of another protocol names the MAC. A row with two owners is kept while either wants it.
 */
import type { Mac, Neighbour } from '../base/vocabulary.ts';
import type { Namespace } from '../kernel/kernel.ts';
import { NTF_EXT_LEARNED } from '../kernel/netlink.ts';
import type { ServedDevice } from '../model/device.ts';
import { PROTOCOL } from './ownership.ts';

/** RTPROT_UNSPEC: the kernel's own neighbours, and those written by hand. */
const UNSPECIFIED = 0;

/** The device whose tables are searched for signs of another owner. */
export interface SignedPlace {
  kernel: Namespace;
  ifindex: number;
  /** ifindex of its bridge, 0 without one. */
  bridge: number;
}

/** Whether a neighbour is another control plane's, such as zebra's (protocol 11). */
export const isForeignNeighbour = ({ protocol }: Neighbour): boolean =>
  protocol !== UNSPECIFIED && protocol !== PROTOCOL;

/**
 * MACs that neighbours of another control plane name, on the device or on its bridge, where zebra writes them.
 * @param rows neighbours of the device
 * @throws KernelError
 */
export async function readForeignMacs(
  { kernel, bridge }: SignedPlace,
  rows: readonly Neighbour[],
): Promise<Set<Mac>> {
  const onBridge = bridge === 0 ? [] : await kernel.neighbours(bridge, isForeignNeighbour);
  return new Set([...rows.filter(isForeignNeighbour), ...onBridge].flatMap(({ lladdr }) => lladdr ?? []));
}

/** The MACs whose bridge row leads to the device as `extern_learn`; missd never writes such rows. */
export function bridgeHalves({ kernel, ifindex, bridge }: SignedPlace, macs: readonly Mac[]): Set<Mac> {
  const signed = new Set<Mac>();
  if (bridge === 0 || macs.length === 0) return signed;
  for (const row of kernel.getBridgeFdb(bridge, macs))
    if (row?.ifindex === ifindex && (row.flags & NTF_EXT_LEARNED) !== 0) signed.add(row.lladdr);
  return signed;
}

/** The MACs that another owner has signed. Neighbours written since the last audit are not known here. */
export function signedByOthers(device: ServedDevice, macs: readonly Mac[]): Set<Mac> {
  const signed = bridgeHalves(placeOf(device), macs);
  if (device.foreignMacs.size > 0) for (const mac of macs) if (device.foreignMacs.has(mac)) signed.add(mac);
  return signed;
}

export const placeOf = ({ namespace, ifindex, bridge }: ServedDevice): SignedPlace => ({
  kernel: namespace.kernel,
  ifindex,
  bridge,
});
