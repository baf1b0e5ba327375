/** A guest: a namespace with one interface on a host's bridge, as a container or virtual machine would be. */
import { type Namespace, type Words, ip } from './namespace.ts';
import type { GuestSegment } from './guest-plan.ts';
import { guestIp4, guestIp6, macOf } from './address.ts';
import { parsePing, pingArgv, type Pinged, type PingOptions } from './ping.ts';
import { until } from './wait.ts';

export interface GuestOptions {
  /** Determines the addresses: bridged guest 2 is 20.0.0.2, fd20::2, 02:42:14:00:00:02. Unique in the lab. */
  n: number;
  /** Another address with prefix length, or null for none. */
  ip4?: string | null;
  ip6?: string | null;
  mac?: string;
  /** Default gateways; those of the segment by default. */
  gateways?: readonly string[];
  /** Duplicate address detection, which takes one to two seconds. Default on, as in the kernel. */
  dad?: boolean;
  /** Announces the addresses as a moved machine does: gratuitous ARP, unsolicited neighbour advertisement. */
  announce?: boolean;
  /**
   * More addresses, each with its own MAC: one interface per number. The prefixes have a single address, so that routes
   * stay those of eth0. (macvlan would need one port only, but not every kernel has it.)
   */
  also?: readonly number[];
}

export class Guest {
  readonly n: number;
  readonly segment: GuestSegment;
  readonly namespace: Namespace;
  readonly ip4: string | undefined;
  readonly ip6: string | undefined;
  readonly mac: string;
  /** Name of the bridge port on the host. */
  readonly port: string;
  readonly #options: GuestOptions;

  constructor(segment: GuestSegment, options: GuestOptions) {
    this.n = options.n;
    this.segment = segment;
    this.namespace = segment.host.name(`g${options.n}`);
    this.#options = options;
    const { ip4, ip6 } = { ...segment.plan(options.n), ...options };
    this.ip4 = ip4?.split('/')[0];
    this.ip6 = ip6?.split('/')[0];
    this.mac = options.mac ?? macOf(this.ip4 ?? guestIp4(options.n));
    this.port = `g${options.n}`;
  }

  async build(): Promise<void> {
    const { dad = true, also = [] } = this.#options;
    const { ip4, ip6, gateways } = { ...this.segment.plan(this.n), ...this.#options };
    const host = this.segment.namespace;
    const nodad = dad ? [] : ['nodad'];
    await ip(host.record, ['netns', 'add', this.namespace.name]);
    // `nodad` does not cover the link-local address, whose detection raises misses.
    if (!dad) await this.namespace.sysctl({ 'net/ipv6/conf/default/dad_transmits': 0 });
    if (this.#options.announce === true) {
      const notify = { 'net/ipv4/conf/default/arp_notify': 1, 'net/ipv6/conf/default/ndisc_notify': 1 };
      await this.namespace.sysctl(notify);
    }
    await host.ip(
      ...this.#plug('eth0', this.port, this.mac),
      ...also.flatMap((m) => this.#plug(`eth${m}`, `${this.port}-${m}`, macOf(guestIp4(m)))),
    );
    if (also.length > 0) {
      // Strong host model (RFC 1122, 3.3.4.2): an address answers only on its own interface, with the MAC of that interface.
      await this.namespace.sysctl({ 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/rp_filter': 0 });
    }
    await this.namespace.ip(
      ['link', 'set', 'lo', 'up'],
      ['link', 'set', 'eth0', 'up'],
      ...(ip4 === null ? [] : [['address', 'add', ip4, 'dev', 'eth0']]),
      ...(ip6 === null ? [] : [['address', 'add', ip6, 'dev', 'eth0', ...nodad]]),
      ...gateways
        .filter((gateway) => (gateway.includes(':') ? ip6 : ip4) !== null)
        .map((gateway): Words => ['route', 'add', 'default', 'via', gateway]),
      ...also.flatMap((m): Words[] => [
        ['link', 'set', `eth${m}`, 'addrgenmode', 'none', 'up'],
        ['address', 'add', `${guestIp4(m)}/32`, 'dev', `eth${m}`],
        ['address', 'add', `${guestIp6(m)}/128`, 'dev', `eth${m}`, 'nodad'],
      ]),
    );
  }

  /** Waits until every address is either usable or refused as a duplicate. */
  async settled(): Promise<void> {
    await until(`the addresses of guest ${this.n} to leave duplicate address detection`, async () => {
      const states = Object.values(await this.addressStates());
      return states.every((state) => state !== 'tentative');
    });
  }

  /** `ok`, `tentative` or `dadfailed` for each address of eth0. */
  async addressStates(): Promise<Record<string, 'ok' | 'tentative' | 'dadfailed'>> {
    const [link] = await this.namespace.show('address', 'show', 'dev', 'eth0');
    const addresses = (link?.['addr_info'] ?? []) as Record<string, unknown>[];
    return Object.fromEntries(
      addresses
        .filter((address) => typeof address['local'] === 'string')
        .map((address) => {
          const state = 'dadfailed' in address ? 'dadfailed' : 'tentative' in address ? 'tentative' : 'ok';
          return [address['local'] as string, state];
        }),
    );
  }

  /** Removes the guest at once: first the port, because the kernel removes a namespace and its interfaces later. */
  async remove(): Promise<void> {
    const host = this.segment.namespace;
    await host.ip(['link', 'delete', this.port]);
    await ip(host.record, ['netns', 'delete', this.namespace.name]);
  }

  async ping(ip: string, options: PingOptions = {}): Promise<Pinged> {
    const { count = 1, interval = 0.2, timeout = 2 } = options;
    const argv = pingArgv(ip, options);
    const limit = Math.ceil((count * interval + timeout + 10) * 1000);
    const { stdout, stderr } = await this.namespace.attempt(argv, { timeout: limit });
    return parsePing(ip, stdout, stderr);
  }

  /** Flushes the guest's own neighbour table. */
  async forgetNeighbours(): Promise<void> {
    await this.namespace.ip(['neigh', 'flush', 'dev', 'eth0', 'nud', 'all']);
  }

  #plug(inside: string, port: string, mac: string): Words[] {
    const { mtu, bridge } = this.segment;
    const peer = ['peer', 'name', inside, 'netns', this.namespace.name, 'address', mac, 'mtu', mtu];
    return [
      ['link', 'add', port, 'mtu', mtu, 'type', 'veth', ...peer],
      ['link', 'set', port, 'addrgenmode', 'none'],
      ['link', 'set', port, 'master', bridge, 'up'],
    ];
  }
}
