/**
 * One VNI on a host that routes, as in first-generation Flannel: the route of the overlay leads to the VXLAN device, and the
 * guests of the host are on a bridge with a subnet of its own.
 *
 *   guest ── port ── br0 (10.20.N.254/24) ── host N routes ── vxlan100: 10.20.0.0/16, address 10.20.N.0/32
 */
import { hostMac, subnetIp4, subnetIp6 } from './address.ts';
import type { SegmentHost } from './guest-plan.ts';
import type { GuestPlan } from './guest-plan.ts';
import { Segment, type SegmentOptions } from './segment.ts';

/** The prefixes of the overlay; every host's subnets are inside them. */
const OVERLAY = ['10.20.0.0/16', 'fd20::/48'] as const;

/** The number of the host in its own subnet. */
const GATEWAY = 254;

export class RoutedSegment extends Segment {
  /** The subnets that are leased to this host. */
  readonly subnets: readonly string[];
  /** MAC of the VXLAN device, which the leases name. */
  readonly mac: string;

  constructor(host: SegmentHost, options: SegmentOptions = {}) {
    const gateway = [`${subnetIp4(host.n, GATEWAY)}/24`, `${subnetIp6(host.n, GATEWAY)}/64`];
    super(host, { gateway, ...options });
    this.subnets = [`${subnetIp4(host.n, 0)}/24`, `${subnetIp6(host.n, 0)}/64`];
    this.mac = hostMac(host.n);
  }

  override plan(n: number): GuestPlan {
    const { n: host } = this.host;
    return {
      ip4: `${subnetIp4(host, n)}/24`,
      ip6: `${subnetIp6(host, n)}/64`,
      gateways: [subnetIp4(host, GATEWAY), subnetIp6(host, GATEWAY)],
    };
  }

  override async buildBridge(): Promise<void> {
    // A forwarding host solicits from its link-local address, which stays tentative for up to this delay (default 1 s).
    await this.namespace.sysctl({ 'net/ipv6/conf/default/router_solicitation_delay': 0 });
    await super.buildBridge();
    await this.namespace.sysctl({ 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 });
  }

  override async buildDevice(): Promise<void> {
    const { device, mac, host, namespace } = this;
    await namespace.ip(
      this.deviceWords(),
      ['link', 'set', device, 'address', mac, 'up'],
      ['address', 'add', `${subnetIp4(host.n, 0)}/32`, 'dev', device],
      ['address', 'add', `${subnetIp6(host.n, 0)}/128`, 'dev', device, 'nodad'],
      ...(this.options.routeOverlay === false ? [] : OVERLAY).map((overlay) => [
        'route',
        'add',
        overlay,
        'dev',
        device,
      ]),
    );
  }
}
