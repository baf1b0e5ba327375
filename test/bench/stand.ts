/** A host of its own for a contender, so that several can be compared by turns while the others idle. */
import type { Host } from '../../src/lab/host.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { macOf } from '../../src/lab/address.ts';
import { DEVICE, VNI, existing } from './rule.ts';

export class Stand {
  readonly host: Host;
  /** Asks over the bridge. */
  readonly guest: Guest;
  /** On another port of the same bridge. */
  readonly hostile: Guest;

  private constructor(host: Host, guest: Guest, hostile: Guest) {
    this.host = host;
    this.guest = guest;
    this.hostile = hostile;
  }

  /** Makes a host one that asks, in both topologies. */
  static async make(host: Host): Promise<Stand> {
    const guest = async (n: number): Promise<Guest> =>
      host.addGuest({ n, ip4: `20.0.0.${n}/8`, ip6: null, dad: false });
    const stand = new Stand(host, await guest(host.n), await guest(host.n + 100));
    await stand.#route();
    return stand;
  }

  /** Puts other devices in the place of the old ones: whoever held entries on those has none any more. */
  async renew(): Promise<void> {
    const { namespace, segment } = this.host;
    await namespace.ip(...Object.values(DEVICE).map((device) => ['link', 'del', device]));
    await segment.buildDevice();
    await this.#route();
    await this.guest.forgetNeighbours();
  }

  async #route(): Promise<void> {
    const { host } = this;
    const [ip, device] = [`29.0.0.${host.n}`, DEVICE.routed];
    await route(host, ip, macOf(ip));
    await host.namespace.ip(
      ['route', 'add', existing('routed'), 'dev', device, 'src', ip],
      ['route', 'add', '29.0.0.1', 'dev', device],
    );
  }
}

/** The VXLAN device of the routed topology, on any host. */
export async function route(host: Host, ip: string, mac: string): Promise<void> {
  const { namespace, vtep } = host;
  const { routed: device } = DEVICE;
  const vxlan = ['id', VNI.routed, 'dstport', 4790, 'local', vtep, 'nolearning', 'l2miss', 'l3miss'];
  await namespace.ip(
    ['link', 'add', device, 'address', mac, 'type', 'vxlan', ...vxlan],
    ['link', 'set', device, 'up'],
    ['address', 'add', `${ip}/32`, 'dev', device],
  );
  // The kernel asks a responder rather than the wire.
  await namespace.sysctl({
    [`net/ipv4/neigh/${device}/app_solicit`]: 3,
    [`net/ipv4/neigh/${device}/mcast_solicit`]: 0,
  });
}

/** Frames for any MAC are this namespace's: thousands of addresses, each with its own, live on one interface. */
export async function acceptAnyMac(namespace: Namespace, device: string): Promise<void> {
  const chain = `chain ingress { type filter hook ingress device ${device} priority 0;\nmeta pkttype set host\n}`;
  await namespace.exec(['nft', '-f', '-'], { input: `table netdev any_mac {\n${chain}\n}\n` });
}
