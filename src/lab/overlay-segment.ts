/**
 * One VNI in a namespace of its own, as in Docker: the VXLAN device is created in the host's namespace, which its packets
 * still leave from after the device was moved.
 *
 *   guest ── port ── br0 ── vxlan100 (all three in hNoVNI) ┄┄ eth0 of the host
 */
import type { SegmentHost } from './guest-plan.ts';
import { type Namespace, ip } from './namespace.ts';
import { Segment, type SegmentOptions } from './segment.ts';

export class OverlaySegment extends Segment {
  readonly #namespace: Namespace;

  constructor(host: SegmentHost, options: SegmentOptions = {}) {
    super(host, options);
    this.#namespace = host.name(`h${host.n}o${this.vni}`);
  }

  override get namespace(): Namespace {
    return this.#namespace;
  }

  override async build(): Promise<void> {
    const { namespace } = this;
    await ip(namespace.record, ['netns', 'add', namespace.name]);
    await namespace.sysctl({ 'net/ipv6/conf/default/dad_transmits': 0 });
    await namespace.ip(['link', 'set', 'lo', 'up']);
    await super.build();
  }

  override async buildDevice(): Promise<void> {
    const { device, bridge, namespace, host } = this;
    await host.namespace.ip(this.deviceWords(), ['link', 'set', device, 'netns', namespace.name]);
    await namespace.ip(['link', 'set', device, 'master', bridge, 'up']);
  }
}
