import type { Link } from '../base/vocabulary.ts';
import type { ServedDevice } from '../model/device.ts';
import { isVxlan } from './servable.ts';

/** Kinds of interfaces with a guest behind them; a bridge port of another kind may lead out of the host. */
const GUEST_KINDS = new Set(['veth', 'tun', 'netkit']);

export const isGuestPort = ({ master, kind }: Link): boolean => master !== 0 && GUEST_KINDS.has(kind);

/** Ports of a bridge with a guest of this host behind them. */
export const guestPorts = (links: Iterable<Link>, bridge: number): number[] =>
  [...links].filter((link) => isGuestPort(link) && link.master === bridge).map(({ ifindex }) => ifindex);

/** Every port whose questions may raise a miss on a served device of the same bridge. */
export function askingPorts(
  links: Iterable<Link>,
  devices: Iterable<ServedDevice>,
): { port: number; vxlan: number }[] {
  const byBridge = new Map([...devices].map((device) => [device.bridge, device.ifindex]));
  byBridge.delete(0);
  return [...links].flatMap((link) => {
    const vxlan = isVxlan(link) ? undefined : byBridge.get(link.master);
    return vxlan === undefined ? [] : [{ port: link.ifindex, vxlan }];
  });
}
