/**
 * The physical network of the lab: a switch in a namespace of its own, with one port per host.
 *
 *   host 1 eth0 ──┐
 *   host 2 eth0 ──┼── switch "sw", MTU 1500, nothing but the hosts' own traffic
 *   host N eth0 ──┘
 */
import { type Namespace, ip } from './namespace.ts';
import { hostIp4, hostIp6 } from './address.ts';

export const UNDERLAY_MTU = 1500;

export type Family = 'ipv4' | 'ipv6';

export class Underlay {
  readonly namespace: Namespace;
  /** The family that VXLAN devices use; hosts have addresses of both. */
  readonly family: Family;
  readonly #record: (command: string) => void;

  constructor(namespace: Namespace, family: Family, record: (command: string) => void) {
    this.namespace = namespace;
    this.family = family;
    this.#record = record;
  }

  async build(): Promise<void> {
    await ip(this.#record, ['netns', 'add', this.namespace.name]);
    await this.namespace.ip(
      ['link', 'add', 'sw', 'type', 'bridge', 'mcast_snooping', 0],
      ['link', 'set', 'sw', 'up', 'addrgenmode', 'none'],
    );
  }

  /** Largest MTU of a VXLAN device on this underlay: without the outer IP, UDP, VXLAN and inner Ethernet headers. */
  get overlayMtu(): number {
    return UNDERLAY_MTU - (this.family === 'ipv4' ? 50 : 70);
  }

  addressOf(host: number): string {
    return this.family === 'ipv4' ? hostIp4(host) : hostIp6(host);
  }

  /** Creates a host's namespace and connects it to the switch. */
  async connect(host: Namespace, n: number): Promise<void> {
    const peer = ['peer', 'name', `h${n}`, 'netns', this.namespace.name];
    await ip(
      this.#record,
      ['netns', 'add', host.name],
      ['link', 'add', 'eth0', 'netns', host.name, 'type', 'veth', ...peer],
    );
    await this.namespace.ip(
      ['link', 'set', `h${n}`, 'addrgenmode', 'none'],
      ['link', 'set', `h${n}`, 'master', 'sw', 'up'],
    );
    await host.ip(
      ['link', 'set', 'lo', 'up'],
      ['link', 'set', 'eth0', 'mtu', UNDERLAY_MTU, 'up'],
      ['address', 'add', `${hostIp4(n)}/24`, 'dev', 'eth0'],
      ['address', 'add', `${hostIp6(n)}/64`, 'dev', 'eth0', 'nodad'],
    );
  }
}
